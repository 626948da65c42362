import { readdirSync } from "node:fs"
import { join } from "node:path"
import { build } from "../build.mjs"
import { checkDocs, documentedFiles } from "../docs/DocCheck.mjs"
import { checkPackages } from "../packages/PackageCheck.mjs"
import { runNode } from "../Subprocess.mjs"
import { packageBin, root } from "../Workspace.mjs"
import { counted, single } from "./Step.mjs"
import { vitest } from "./Vitest.mjs"

/** @typedef {import("./Step.mjs").Step} Step */

const storms = "packages/testing/test/storm"

/**
 * The type tests' runner does not read the native compiler's API, so the types are tested with the compilers that users
 * of older TypeScript versions have; the `types` step covers the newest.
 *
 * @param {string} version
 * @returns {Step}
 */
const typeTests = (version) => ({
  name: `types-${version}`,
  title: `type tests (TypeScript ${version})`,
  run: async () => {
    const finished = await runNode([packageBin("tstyche")], {
      env: {
        TSTYCHE_TYPESCRIPT_MODULE: import.meta.resolve(`typescript-${version}`),
        TSTYCHE_NO_COLOR: "1",
        TSTYCHE_NO_INTERACTIVE: "1"
      }
    })
    const assertions = /^Assertions:.*$/m.exec(finished.output)?.[0] ?? ""
    /** @param {string} outcome */
    const count = (outcome) => Number(new RegExp(`(\\d+) ${outcome}`).exec(assertions)?.[1] ?? 0)
    return counted(finished, { passed: count("passed"), failed: count("failed"), skipped: count("skipped") })
  }
})

/** @returns {Promise<import("./Step.mjs").Outcome>} */
const runExamples = async () => {
  const folder = join(root, "packages", "examples", "src")
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts")).sort()
  let failed = 0
  let output = ""
  for (const file of files) {
    const finished = await runNode([join(folder, file)], { timeoutMillis: 60_000 })
    if (finished.code === 0) continue
    failed++
    output += `packages/examples/src/${file} (exit code ${finished.code})\n${finished.output}\n`
  }
  return counted({ code: 0, output }, { passed: files.length - failed, failed, skipped: 0 })
}

/** @returns {Promise<import("./Step.mjs").Outcome>} */
const runDemo = async () => {
  const program = join(root, "packages", "cli", "src", "bin.ts")
  const finished = await runNode([program, "demo", "--json"], { timeoutMillis: 60_000 })
  if (finished.code !== 0) return single(finished)
  try {
    JSON.parse(finished.stdout)
    return single(finished)
  } catch {
    return single({
      ...finished,
      code: 1,
      output: `demo --json printed something that is not JSON:\n${finished.output}`
    })
  }
}

/** @type {ReadonlyArray<Step>} */
export const steps = [
  {
    name: "format",
    title: "format",
    run: async () => single(await runNode([packageBin("dprint"), "check", "--list-different"]))
  },
  {
    name: "lint",
    title: "lint",
    run: async () => single(await runNode([packageBin("oxlint"), "--deny-warnings", "--format=unix"]))
  },
  {
    name: "types",
    title: "types",
    run: async () => single(await runNode([packageBin("typescript", "tsc"), "-p", "tsconfig.json"]))
  },
  typeTests("5.9"),
  typeTests("6.0"),
  {
    name: "unit",
    title: "unit and wire tests",
    alone: true,
    run: async () => {
      const { counts, finished } = await vitest("unit", [`--exclude=${storms}/**`])
      return counted(finished, counts)
    }
  },
  {
    // One file at a time: a storm takes all of a small machine, and what it measures is time.
    name: "storms",
    title: "storms",
    alone: true,
    run: async () => {
      const { counts, finished } = await vitest("storms", [storms, "--maxWorkers=1"])
      return counted(finished, counts)
    }
  },
  { name: "docs", title: "doc examples", run: () => checkDocs(documentedFiles()) },
  { name: "build", title: "build", run: async () => single(await build()) },
  { name: "packages", title: "packed packages", needs: ["build"], run: checkPackages },
  { name: "examples", title: "example programs", run: runExamples },
  { name: "demo", title: "demo", alone: true, run: runDemo }
]

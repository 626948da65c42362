import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { pnpm } from "../bootstrap/Pnpm.mjs"
import { runNode } from "../Subprocess.mjs"
import { packageBin, publicPackages, root } from "../Workspace.mjs"
import { checkInstalled } from "./ConsumerProject.mjs"

/**
 * One finding about the published form of a package.
 *
 * @typedef {{ readonly name: string, readonly code: number, readonly output: string }} Check
 *
 * @typedef {import("../Workspace.mjs").PublicPackage & { readonly tarball: string }} PackedPackage
 */

const tarballFolder = join(root, "build", "tarballs")

/**
 * Packs the published packages as a release would, and checks the tarballs: their manifests, their types under every
 * way of resolving modules, and that a fresh project can install and use them.
 *
 * @returns {Promise<import("../test/Step.mjs").Outcome>}
 */
export const checkPackages = async () => {
  const packed = await pack()
  if (!Array.isArray(packed)) return { passed: 0, failed: 1, skipped: 0, output: packed.output }
  /** @type {Array<Check>} */
  const checks = []
  for (const each of packed) checks.push(await publint(each), await attw(each))
  checks.push(...await checkInstalled(packed))
  const failures = checks.filter(({ code }) => code !== 0)
  return {
    passed: checks.length - failures.length,
    failed: failures.length,
    skipped: 0,
    output: failures.map(({ name, output }) => `${name}\n${output.trim()}\n`).join("\n")
  }
}

/** @returns {Promise<Array<PackedPackage> | { readonly output: string }>} */
const pack = async () => {
  rmSync(tarballFolder, { recursive: true, force: true })
  mkdirSync(tarballFolder, { recursive: true })
  /** @type {Array<PackedPackage>} */
  const packed = []
  for (const each of publicPackages()) {
    const result = await pnpm(["pack", "--pack-destination", "../../build/tarballs"], () => {}, { cwd: each.folder })
    const file = `${each.manifest.name.replace("@", "").replace("/", "-")}-${each.manifest.version}.tgz`
    if (result.code !== 0 || !readdirSync(tarballFolder).includes(file)) {
      return { output: `${each.manifest.name} could not be packed\n${result.output}` }
    }
    packed.push({ ...each, tarball: join(tarballFolder, file) })
  }
  return packed
}

/** @param {PackedPackage} packed @returns {Promise<Check>} */
const publint = async ({ manifest, tarball }) => {
  const { code, output } = await runNode([packageBin("publint"), "run", tarball, "--strict"])
  return { name: `publint ${manifest.name}`, code, output }
}

/** @param {PackedPackage} packed @returns {Promise<Check>} */
const attw = async ({ manifest, modules, tarball }) => {
  // Paths behind a wildcard are not looked at unless they are named.
  const entrypoints = [".", ...modules]
  const { code, output } = await runNode([
    packageBin("@arethetypeswrong/cli", "attw"),
    tarball,
    "--profile",
    "esm-only",
    "--format",
    "ascii",
    "--no-color",
    "--no-emoji",
    "--entrypoints",
    ...entrypoints
  ])
  return { name: `attw ${manifest.name} (${basename(tarball)})`, code, output }
}

import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { runNode } from "../Subprocess.mjs"
import { vitest } from "../test/Vitest.mjs"
import { packageBin, root } from "../Workspace.mjs"

/** @typedef {import("./Fences.mjs").Fence} Fence */

const vitestConfig = join(root, "scripts", "docs", "vitest.config.mjs")
const batchSize = 200
const lintConfig = join(root, "scripts", "docs", "oxlintrc.json")

/**
 * A project made of examples, one file each. An example's code stands on the lines it has in its document, so that
 * whatever is reported about the file is reported about the document by putting back its name.
 */
export class ExampleProject {
  /**
   * @param {string} folder relative to the repository; its content is replaced
   * @param {ReadonlyArray<Fence>} fences
   */
  constructor(folder, fences) {
    this.folder = folder
    /** @type {ReadonlyMap<string, Fence>} */
    this.examples = new Map(fences.map((fence) => [this.pathOf(fence), fence]))
    rmSync(join(root, folder), { recursive: true, force: true })
    for (const [path, fence] of this.examples) this.write(path, "\n".repeat(fence.line - 1) + `${fence.code}\n`)
    this.writeTests()
    this.write(join(folder, "tsconfig.json"), `${JSON.stringify(this.tsconfig(), null, 2)}\n`)
  }

  /** @param {Fence} fence */
  pathOf(fence) {
    const extension = fence.run === "suite" ? "test.ts" : "ts"
    return `${this.folder}/${fence.file}/L${fence.line}.${extension}`
  }

  /**
   * @param {string} path
   * @param {string} text
   */
  write(path, text) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }

  tsconfig() {
    const base = relative(join(root, this.folder), join(root, "tsconfig.base.json")).split(sep).join("/")
    return {
      extends: base,
      compilerOptions: {
        noEmit: true,
        declaration: false,
        declarationMap: false,
        // An example may define what it does not use.
        noUnusedLocals: false,
        noUnusedParameters: false
      },
      include: ["**/*.ts"],
      exclude: ["**/examples.test.ts"]
    }
  }

  /** A test file for each document that has programs to run; suites are test files already. */
  writeTests() {
    const documents = Map.groupBy(
      [...this.examples.values()].filter(({ run }) => run === "import" || run === "process"),
      ({ file }) => file
    )
    for (const [file, fences] of documents) {
      const tests = fences.map((fence) => {
        const name = JSON.stringify(`${file}:${fence.line} ${fence.title}`)
        const example = `./L${fence.line}.ts`
        return fence.run === "process"
          ? `test(${name}, () => runProgram(${JSON.stringify(this.pathOf(fence))}))`
          : `test(${name}, () => import("${example}"))`
      })
      const folder = `${this.folder}/${file}`
      const runner = relative(join(root, folder), join(root, "scripts/docs/runProgram.mjs")).split(sep).join("/")
      const imports = `import { test } from "vitest"\nimport { runProgram } from "${runner}"\n`
      this.write(`${folder}/examples.test.ts`, `${imports}\n${tests.join("\n")}\n`)
    }
  }

  /** An example that has an error, or leaves a promise floating whose failure nobody would see, counts as failed. */
  async typecheck() {
    if (this.examples.size === 0) return { passed: 0, failed: 0, output: "" }
    const checks = await Promise.all([
      runNode([packageBin("typescript", "tsc"), "-p", join(this.folder, "tsconfig.json"), "--pretty", "false"]),
      ...this.batches().map((paths) =>
        runNode([packageBin("oxlint"), "--no-ignore", "--format=unix", "-c", lintConfig, ...paths])
      )
    ])
    let output = ""
    /** @type {Set<string>} */
    const broken = new Set()
    for (const check of checks) {
      if (check.code === 0) continue
      const reported = [...this.examples.keys()].filter((path) => check.output.includes(path))
      for (const path of reported) broken.add(path)
      if (reported.length === 0) broken.add(check.output)
      output += check.output
    }
    const typecheckedOnly = [...this.examples].filter(([path, { run }]) => run === "none" && !broken.has(path))
    return { passed: typecheckedOnly.length, failed: broken.size, output: this.asDocument(output) }
  }

  /** Files that git ignores are linted only when they are named, and a command line holds no more than some. */
  batches() {
    const paths = [...this.examples.keys()]
    return Array.from(
      { length: Math.ceil(paths.length / batchSize) },
      (_, index) => paths.slice(index * batchSize, (index + 1) * batchSize)
    )
  }

  async execute() {
    if ([...this.examples.values()].every(({ run }) => run === "none")) {
      return { passed: 0, failed: 0, skipped: 0, output: "" }
    }
    const name = this.folder.split("/").slice(1).join("-")
    const { counts, finished } = await vitest(name, ["--config", vitestConfig, "--dir", this.folder])
    const failed = finished.code !== 0 && counts.failed === 0 ? 1 : counts.failed
    return { ...counts, failed, output: failed > 0 ? this.asDocument(finished.output) : "" }
  }

  /**
   * Puts the documents' names, lines and columns in place of the examples' ones.
   *
   * @param {string} output
   */
  asDocument(output) {
    const prefix = this.folder.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    const position = new RegExp(`(${prefix}/(\\S+?)/L\\d+(?:\\.test)?\\.ts)(?:([(:])(\\d+)([,:])(\\d+))?`, "g")
    return output.replaceAll("\\", "/").replaceAll(position, (_, path, file, open, line, comma, column) => {
      if (open === undefined) return file
      const margin = this.examples.get(path)?.column ?? 0
      return `${file}${open}${line}${comma}${Number(column) + margin}`
    })
  }
}

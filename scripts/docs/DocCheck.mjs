import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { publicPackages, root } from "../Workspace.mjs"
import { ExampleProject } from "./ExampleProject.mjs"
import { undocumentedExports } from "./Exports.mjs"
import { fencesOf } from "./Fences.mjs"

/** @typedef {import("./Fences.mjs").Problem} Problem */

/** @param {string} path */
const toRelative = (path) => relative(root, path).split(sep).join("/")

/**
 * @param {string} folder
 * @param {string} extension
 */
const filesBelow = (folder, extension) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(extension))
      .map((file) => toRelative(join(folder, file)))
      .sort()
    : []

/** Every file whose examples are checked, relative to the repository. */
export const documentedFiles = () => [
  ...publicPackages().flatMap(({ folder }) => filesBelow(join(folder, "src"), ".ts")),
  ...publicPackages().flatMap(({ folder }) =>
    existsSync(join(folder, "README.md")) ? [toRelative(join(folder, "README.md"))] : []
  ),
  ...["README.md"].filter((file) => existsSync(join(root, file))),
  ...filesBelow(join(root, "docs"), ".md")
]

/** Modules that users import by path have to be documented export by export. */
const publicModules = () =>
  new Set(
    publicPackages().flatMap(({ folder, modules }) =>
      modules.map((module) => toRelative(join(folder, "src", `${module}.ts`)))
    )
  )

/**
 * Typechecks and runs the examples of the given files, and checks that public modules are documented.
 *
 * @param {ReadonlyArray<string>} files relative to the repository
 * @param {string} [projectFolder] where the examples are written, relative to the repository
 * @returns {Promise<import("../test/Step.mjs").Outcome>}
 */
export const checkDocs = async (files, projectFolder = "build/doc-examples") => {
  const documented = publicModules()
  /** @type {Array<import("./Fences.mjs").Fence>} */
  const fences = []
  /** @type {Array<Problem>} */
  const problems = []
  /** @param {string} file */
  const readText = (file) => readFileSync(join(root, file), "utf8")
  for (const file of files) {
    const found = fencesOf(file, readText(file))
    fences.push(...found.fences)
    problems.push(...found.problems)
    if (documented.has(file)) problems.push(...undocumentedExports(file, readText))
  }
  const project = new ExampleProject(projectFolder, fences)
  const typechecked = await project.typecheck()
  const executed = await project.execute()
  const output = [
    ...problems.map(({ file, line, message }) => `${file}:${line} ${message}`),
    typechecked.output,
    executed.output
  ].filter((part) => part.trim() !== "").join("\n")
  return {
    passed: executed.passed + typechecked.passed,
    failed: problems.length + typechecked.failed + executed.failed,
    skipped: executed.skipped,
    output
  }
}

import { existsSync, readdirSync, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "")

/**
 * A package.json, as far as the scripts read it.
 *
 * @typedef {{
 *   readonly name: string
 *   readonly version: string
 *   readonly private?: boolean
 *   readonly bin?: string | Readonly<Record<string, string>>
 *   readonly dependencies?: Readonly<Record<string, string>>
 *   readonly devDependencies?: Readonly<Record<string, string>>
 *   readonly peerDependencies?: Readonly<Record<string, string>>
 * }} Manifest
 */

/**
 * @param {string} folder
 * @returns {Manifest}
 */
export const readManifest = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/**
 * The file behind a command of an installed package. Started with Node directly it needs no shell, on any platform.
 *
 * @param {string} packageName
 * @param {string} [command] defaults to the package's name
 */
export const packageBin = (packageName, command = packageName) => {
  const folder = join(root, "node_modules", packageName)
  const { bin } = readManifest(folder)
  const file = typeof bin === "string" ? bin : bin?.[command]
  if (file === undefined) throw new Error(`${packageName} has no command "${command}"`)
  return join(folder, file)
}

/**
 * The environment of everything the scripts start: the pinned tools, the pinned Node among them, come first in the path.
 *
 * @param {NodeJS.ProcessEnv} [extra]
 * @returns {NodeJS.ProcessEnv}
 */
export const workspaceEnv = (extra) => {
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === "PATH") ?? "PATH"
  const binFolder = join(root, "node_modules", ".bin")
  const path = (process.env[pathName] ?? "").split(delimiter).filter((entry) => entry !== binFolder)
  return { ...process.env, [pathName]: [binFolder, ...path].join(delimiter), ...extra }
}

/**
 * @typedef {{ readonly folder: string, readonly manifest: Manifest, readonly modules: ReadonlyArray<string> }} PublicPackage
 */

/** Modules that a package has for other reasons than being imported by path. */
const entryFiles = new Set(["index.ts", "bin.ts"])

/**
 * The packages that are published, with the modules that users import by path (`Verdict` for `src/Verdict.ts`).
 *
 * @returns {ReadonlyArray<PublicPackage>}
 */
export const publicPackages = () =>
  readdirSync(join(root, "packages")).sort()
    .map((name) => join(root, "packages", name))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, manifest: readManifest(folder), modules: modulesOf(folder) }))
    .filter(({ manifest }) => manifest.private !== true)

/** @param {string} folder */
const modulesOf = (folder) => {
  const source = join(folder, "src")
  if (!existsSync(source)) return []
  return readdirSync(source)
    .filter((file) => file.endsWith(".ts") && !entryFiles.has(file))
    .map((file) => file.slice(0, -".ts".length))
    .sort()
}

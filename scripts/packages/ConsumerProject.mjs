import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pnpm } from "../bootstrap/Pnpm.mjs"
import { run, runNode } from "../Subprocess.mjs"
import { packageBin, readManifest, root } from "../Workspace.mjs"

/** @typedef {import("./PackageCheck.mjs").PackedPackage} PackedPackage */
/** @typedef {import("./PackageCheck.mjs").Check} Check */

/**
 * Installs the tarballs into a fresh project outside the repository, as a user would, and uses them: imports every path,
 * checks that internal paths are closed, compiles against the declarations, starts the commands.
 *
 * @param {ReadonlyArray<PackedPackage>} packages
 * @returns {Promise<ReadonlyArray<Check>>}
 */
export const checkInstalled = async (packages) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "effect-claude-consumer-")))
  try {
    writeProject(folder, packages)
    const installed = await pnpm(["install", "--prefer-offline", "--no-frozen-lockfile"], () => {}, { cwd: folder })
    /** @type {Array<Check>} */
    const checks = [{ name: "install the tarballs", ...installed }]
    if (installed.code !== 0) return checks
    for (const node of nodes()) {
      const imported = await run(node, [join(folder, "imports.mjs")], { cwd: folder })
      checks.push({ name: `import every path under ${node}`, ...imported })
    }
    const typechecked = await runNode([packageBin("typescript", "tsc"), "-p", folder], { cwd: folder })
    checks.push({ name: "compile against the declarations", ...typechecked })
    for (const { folder: source, manifest } of packages) {
      if (!existsSync(join(source, "src", "bin.ts"))) continue
      checks.push(await startCommand(join(folder, "node_modules", manifest.name)))
    }
    return checks
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The Node that the tests run under, and the one that started them where it is another: users have both. */
const nodes = () => new Set([process.execPath, process.env["LAUNCHER_NODE"] ?? process.execPath])

/**
 * @param {string} folder
 * @param {ReadonlyArray<PackedPackage>} packages
 */
const writeProject = (folder, packages) => {
  const tarballs = Object.fromEntries(packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]))
  const ownVersions = readManifest(root).devDependencies ?? {}
  const peers = [...new Set(packages.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {})))]
  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    dependencies: {
      ...tarballs,
      ...Object.fromEntries(peers.map((name) => [name, ownVersions[name] ?? "*"])),
      "@types/node": ownVersions["@types/node"]
    }
  }
  // The packages name each other by version, and that version is only in the registry once it is released.
  const workspace = {
    overrides: tarballs,
    minimumReleaseAge: 0
  }
  const paths = packages.flatMap(({ manifest, modules }) => [
    manifest.name,
    ...modules.map((module) => `${manifest.name}/${module}`)
  ])
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2))
  // JSON is YAML.
  writeFileSync(join(folder, "pnpm-workspace.yaml"), JSON.stringify(workspace, null, 2))
  writeFileSync(join(folder, "imports.mjs"), importProgram(paths, packages.flatMap(closedPaths)))
  mkdirSync(join(folder, "src"))
  writeFileSync(join(folder, "src", "types.ts"), typeProgram(paths))
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig(folder), null, 2))
}

/** @param {PackedPackage} packed */
const closedPaths = ({ folder, manifest }) => {
  const internal = join(folder, "src", "internal")
  const files = existsSync(internal)
    ? readdirSync(internal, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
    : []
  return ["index", "bin", "nothing-of-that-name", ...files.map((file) => `internal/${file.slice(0, -".ts".length)}`)]
    .map((path) => `${manifest.name}/${path.replaceAll("\\", "/")}`)
}

/**
 * @param {ReadonlyArray<string>} open
 * @param {ReadonlyArray<string>} closed
 */
const importProgram = (open, closed) => `
const failures = []
for (const path of ${JSON.stringify(open)}) {
  try {
    const file = import.meta.resolve(path)
    if (!file.includes("/dist/")) failures.push(path + " resolves to " + file + ", which was not built")
    await import(path)
  } catch (error) {
    failures.push(path + " cannot be imported: " + error)
  }
}
for (const path of ${JSON.stringify(closed)}) {
  try {
    await import(path)
    failures.push(path + " can be imported, and should not")
  } catch (error) {
    if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED" && error.code !== "ERR_MODULE_NOT_FOUND") {
      failures.push(path + " failed with another error than expected: " + error)
    }
  }
}
for (const failure of failures) console.error(failure)
process.exitCode = failures.length
`

/**
 * Every module has to have types that are more than \`any\`.
 *
 * @param {ReadonlyArray<string>} paths
 */
const typeProgram = (paths) => `
type IsAny<T> = 0 extends 1 & T ? true : false
declare const assertTyped: <T>(...typed: IsAny<T> extends true ? [never] : []) => void
${paths.map((path, index) => `import * as Module${index} from ${JSON.stringify(path)}`).join("\n")}
${paths.map((_, index) => `assertTyped<typeof Module${index}>()`).join("\n")}
`

/** @param {string} folder */
const tsconfig = (folder) => ({
  compilerOptions: {
    target: "ES2024",
    lib: ["ES2024", "ESNext.Disposable", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ["node"]
  },
  include: [`${folder.replaceAll("\\", "/")}/src`]
})

/** @param {string} installed @returns {Promise<Check>} */
const startCommand = async (installed) => {
  const { bin } = readManifest(installed)
  const [name, file] = Object.entries(typeof bin === "object" ? bin : {})[0] ?? ["", ""]
  const path = join(installed, file)
  const label = `start ${name} --help`
  if (!file.startsWith("./dist/") || !readFileSync(path, "utf8").startsWith("#!/usr/bin/env node\n")) {
    return { name: label, code: 1, output: `${file} is not a built file that starts with #!/usr/bin/env node` }
  }
  const { code, output } = await runNode([path, "--help"], { timeoutMillis: 30_000 })
  return { name: label, code, output }
}

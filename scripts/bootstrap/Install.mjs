import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { root } from "../Workspace.mjs"
import { pnpm, pnpmVersion } from "./Pnpm.mjs"
import { SetupError } from "./SetupError.mjs"

const stampFile = join(root, "node_modules", ".cache", "effect-claude", "install.stamp")

/** The Node binary that the dev dependency `node` brought along. */
export const nodeBinary = () =>
  join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node")

/** Everything an installation depends on, in one hash. */
const fingerprint = () => {
  const packages = readdirSync(join(root, "packages")).sort().map((name) => join("packages", name, "package.json"))
  const hash = createHash("sha256").update(`${pnpmVersion} ${process.platform} ${process.arch}`)
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ...packages]) {
    const path = join(root, file)
    if (existsSync(path)) hash.update(`\0${file}\0`).update(readFileSync(path))
  }
  return hash.digest("hex")
}

/** @param {string} expected */
const isInstalled = (expected) =>
  existsSync(stampFile) && existsSync(nodeBinary()) && readFileSync(stampFile, "utf8") === expected

/** Where a failed installation is explained by one of these, the advice says what to do about it. */
const knownFailures = /** @type {const} */ ([
  [
    /ERR_PNPM_OUTDATED_LOCKFILE|ERR_PNPM_LOCKFILE/,
    `pnpm-lock.yaml does not match a package.json. Run \`npx --yes pnpm@${pnpmVersion} install\` and commit the lockfile.`
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_PNPM_META_FETCH_FAIL|ERR_PNPM_FETCH|network/i,
    "The package registry could not be reached. Check the network, the proxy, and `npm config get registry`; then run the command again."
  ],
  [/ENOSPC/, "The disk is full. Make room and run the command again."],
  [/EACCES|EPERM/, "A file could not be written. Check who owns this folder and the package manager's store."],
  [
    /ERR_PNPM_IGNORED_BUILDS/,
    "A dependency wants to run a build script. Decide about it in `allowBuilds` of pnpm-workspace.yaml."
  ]
])

/** @param {string} output */
const adviceFor = (output) =>
  knownFailures.find(([pattern]) => pattern.test(output))?.[1]
    ?? "Read the output above. Deleting `node_modules` and running the command again repairs a damaged installation."

/**
 * Installs the locked dependencies, unless the last installation was made from the same files.
 *
 * Everything is told on stderr, so that the command's own stdout stays clean.
 */
export const ensureInstalled = async () => {
  const expected = fingerprint()
  if (isInstalled(expected)) return
  const started = Date.now()
  process.stderr.write(`Installing dependencies with pnpm ${pnpmVersion} (only when they changed)...\n`)
  const result = await pnpm(["install", "--frozen-lockfile", "--reporter=append-only"], (line) => {
    process.stderr.write(`  ${line}\n`)
  })
  if (result.code !== 0) {
    process.stderr.write(`\n${result.output.trimEnd()}\n`)
    throw new SetupError(
      `Installing the dependencies failed (pnpm exit code ${result.code}).`,
      adviceFor(result.output)
    )
  }
  if (!existsSync(nodeBinary())) {
    throw new SetupError(
      "The dependencies are installed, but the pinned Node is missing.",
      "The package `node` has to be allowed to run its install script (`allowBuilds` in pnpm-workspace.yaml) and needs a "
        + "build for this platform. Delete `node_modules` and run the command again."
    )
  }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, expected)
  process.stderr.write(`Installed in ${Math.round((Date.now() - started) / 1000)} s.\n`)
}

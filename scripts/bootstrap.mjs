#!/usr/bin/env node
/**
 * Entry point of every npm script: makes sure the pinned dependencies are installed, then runs the command under the
 * pinned Node. Plain JavaScript without dependencies, because it runs before anything is installed and on Node 20.
 */
import { runForeground } from "./bootstrap/Foreground.mjs"
import { ensureInstalled, nodeBinary } from "./bootstrap/Install.mjs"
import { SetupError } from "./bootstrap/SetupError.mjs"
import { packageBin, workspaceEnv } from "./Workspace.mjs"

/** @type {Record<string, (args: ReadonlyArray<string>) => ReadonlyArray<string>>} */
const commands = {
  demo: (args) => ["packages/cli/src/bin.ts", "demo", ...args],
  cli: (args) => ["packages/cli/src/bin.ts", ...args],
  test: (args) => ["scripts/test.mjs", ...args],
  check: (args) => ["scripts/test.mjs", "format", "lint", "types", "unit", ...args],
  node: (args) => args,
  bench: (args) => ["packages/benchmarks/src/main.ts", ...args],
  mutation: (args) => ["scripts/mutation.mjs", ...args],
  build: (args) => ["scripts/build.mjs", ...args],
  docs: (args) => ["scripts/docs.mjs", ...args],
  format: (args) => [packageBin("dprint"), "fmt", ...args],
  lint: (args) => [packageBin("oxlint"), ...args],
  unit: (args) => [packageBin("vitest"), "run", ...args]
}

const main = async () => {
  const [name = "", ...args] = process.argv.slice(2)
  if (!Object.hasOwn(commands, name)) {
    throw new SetupError(`Unknown command "${name}".`, `Use one of: ${Object.keys(commands).join(", ")}.`)
  }
  const major = Number(process.versions.node.split(".")[0])
  if (major < 20) {
    throw new SetupError(
      `Node ${process.versions.node} is too old.`,
      "Install Node 20 or newer and run the command again."
    )
  }
  await ensureInstalled()
  const command = /** @type {(args: ReadonlyArray<string>) => ReadonlyArray<string>} */ (commands[name])
  // npm puts node_modules/.bin first on PATH, so that after the first install this script itself runs under the pinned Node.
  await runForeground(
    nodeBinary(),
    command(args),
    workspaceEnv({ LAUNCHER_NODE: process.env["npm_node_execpath"] ?? process.execPath })
  )
}

main().catch((error) => {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n${error.advice}\n`)
  process.exitCode = 1
})

import { spawn } from "node:child_process"
import { root, workspaceEnv } from "./Workspace.mjs"

/**
 * How a program ended, and what it wrote: `output` is stdout and stderr as they came.
 *
 * @typedef {{ readonly code: number, readonly stdout: string, readonly output: string }} Finished
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set()

for (const [signal, code] of /** @type {const} */ ([["SIGINT", 130], ["SIGTERM", 143]])) {
  process.once(signal, () => {
    for (const child of running) child.kill(signal)
    process.exit(code)
  })
}

/** Nothing a check starts may reach the real API, nor colour the output that is searched for counts. */
const checkEnv = () =>
  Object.fromEntries(
    Object.entries(workspaceEnv({ NO_COLOR: "1", CI: "true" }))
      .filter(([name]) => !name.startsWith("ANTHROPIC_") && name !== "FORCE_COLOR")
  )

/**
 * Runs a program to its end and collects what it wrote. Never rejects: a program that cannot start or takes too long has
 * a code other than 0 and says so in the output.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{
 *   readonly cwd?: string
 *   readonly env?: Readonly<Record<string, string>>
 *   readonly timeoutMillis?: number
 * }} [options]
 * @returns {Promise<Finished>}
 */
export const run = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...checkEnv(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    running.add(child)
    let stdout = ""
    let output = ""
    const timeoutMillis = options.timeoutMillis ?? 10 * 60_000
    const timer = setTimeout(() => {
      output += `\nstopped: not finished after ${timeoutMillis / 1000} s\n`
      child.kill("SIGKILL")
    }, timeoutMillis)
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      output += chunk
    })
    /** @param {number} code */
    const finish = (code) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ code, stdout, output })
    }
    child.once("error", (error) => {
      output += `\n${command} could not be started: ${error.message}\n`
      finish(127)
    })
    child.once("close", (code) => finish(code ?? 1))
  })

/**
 * Runs a script or a package's command under the Node that runs this one.
 *
 * @param {ReadonlyArray<string>} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export const runNode = (args, options) => run(process.execPath, args, options)

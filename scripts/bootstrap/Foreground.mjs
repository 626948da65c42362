import { spawn } from "node:child_process"
import { root } from "../Workspace.mjs"

/**
 * Runs a program in place of this one: same terminal, same arguments, and its exit code or signal becomes ours.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<void>}
 */
export const runForeground = (command, args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: "inherit" })
    // Ctrl-C reaches the child from the terminal itself, a second copy would look like an impatient user.
    const forwardInterrupt = !process.stdin.isTTY
    /** @type {ReadonlyArray<NodeJS.Signals>} */
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"]
    /** @param {NodeJS.Signals} signal */
    const onSignal = (signal) => {
      if (signal !== "SIGINT" || forwardInterrupt) child.kill(signal)
    }
    for (const signal of signals) process.on(signal, onSignal)
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      for (const name of signals) process.off(name, onSignal)
      if (signal === null) process.exitCode = code ?? 1
      else process.kill(process.pid, signal)
      resolve()
    })
  })

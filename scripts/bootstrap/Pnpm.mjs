import { spawn } from "node:child_process"
import { root } from "../Workspace.mjs"
import { SetupError } from "./SetupError.mjs"

/** Pinned here because no package manager is installed yet when it is needed. */
export const pnpmVersion = "12.21.0"

const progressInterval = 5_000

/**
 * `npm run` hands its own configuration and script details down in the environment, where a nested npx warns about some
 * and obeys others. What says how to reach the registry stays.
 */
const keptNpmConfig =
  /^npm_config_(registry|cache|userconfig|globalconfig|prefer_offline|offline|proxy|https_proxy|noproxy|cafile|ca|strict_ssl)$/

/** @param {NodeJS.ProcessEnv} env */
export const withoutNpmScriptVariables = (env) =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith("npm_") || keptNpmConfig.test(name))
  )

/**
 * Runs the pinned pnpm through npx.
 *
 * @param {ReadonlyArray<string>} args constants only: on Windows they pass through a shell
 * @param {(line: string) => void} onProgress gets pnpm's progress line every few seconds
 * @param {{ readonly cwd?: string }} [options]
 * @returns {Promise<{ readonly code: number, readonly output: string }>}
 */
export const pnpm = (args, onProgress, options) =>
  new Promise((resolve, reject) => {
    const windows = process.platform === "win32"
    const child = spawn(windows ? "npx.cmd" : "npx", ["--yes", `pnpm@${pnpmVersion}`, ...args], {
      cwd: options?.cwd ?? root,
      env: { ...withoutNpmScriptVariables(process.env), CI: "true", npm_config_loglevel: "error" },
      shell: windows,
      stdio: ["ignore", "pipe", "pipe"]
    })
    let output = ""
    let lastProgress = Date.now()
    /** @param {string} chunk */
    const onOutput = (chunk) => {
      output += chunk
      const progress = chunk.split("\n").findLast((line) => line.startsWith("Progress:"))
      if (progress !== undefined && Date.now() - lastProgress >= progressInterval) {
        lastProgress = Date.now()
        onProgress(progress.trim())
      }
    }
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", onOutput)
    child.once("error", (error) =>
      reject(
        new SetupError(`npx could not be started: ${error.message}`, "Install npm (it comes with Node) and try again.")
      ))
    child.once("close", (code) => resolve({ code: code ?? 1, output }))
  })

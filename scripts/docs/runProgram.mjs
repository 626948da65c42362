import { runNode } from "../Subprocess.mjs"

/**
 * Runs an example that is a whole program, and fails with what it printed where it did not end well.
 *
 * @param {string} path
 */
export const runProgram = async (path) => {
  const { code, output } = await runNode([path], { timeoutMillis: 20_000 })
  if (code !== 0) throw new Error(`${path} ended with exit code ${code}\n${output}`)
}

import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { runNode } from "../Subprocess.mjs"
import { packageBin, root } from "../Workspace.mjs"

/**
 * Runs Vitest and counts its tests.
 *
 * @param {string} name of the run; the counts pass through a file of that name
 * @param {ReadonlyArray<string>} args
 */
export const vitest = async (name, args) => {
  const report = join(root, "build", "reports", `${name}.json`)
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  const finished = await runNode([
    packageBin("vitest"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...args
  ])
  return { finished, counts: readCounts(report) }
}

/** @param {string} report */
const readCounts = (report) => {
  try {
    const { numFailedTests, numPassedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, "utf8"))
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests }
  } catch {
    // Vitest did not get as far as writing a report; its exit code tells that it failed.
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

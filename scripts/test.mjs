/**
 * Everything that has to hold before a change is accepted: `npm test` runs all steps, `npm test -- unit docs` some.
 */
import { runSteps } from "./test/Step.mjs"
import { steps } from "./test/steps.mjs"

/** @typedef {import("./test/Step.mjs").Report} Report */

/** @param {ReadonlyArray<string>} names */
const select = (names) => {
  if (names.length === 0) return steps
  const unknown = names.find((name) => !steps.some((step) => step.name === name))
  if (unknown !== undefined) {
    process.stderr.write(`Unknown step "${unknown}". Steps: ${steps.map((step) => step.name).join(", ")}.\n`)
    process.exit(2)
  }
  const wanted = new Set(names)
  for (const step of steps.toReversed()) {
    if (wanted.has(step.name)) { for (const needed of step.needs ?? []) wanted.add(needed) }
  }
  return steps.filter((step) => wanted.has(step.name))
}

/** @param {Report} report */
const verdict = (report) => report.failed > 0 ? "FAILED" : report.passed > 0 ? "ok" : "skipped"

/** @param {Report} report */
const row = (report) => {
  const { failed, passed, seconds, skipped, step } = report
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`
  return `${verdict(report).padEnd(8)}${step.title.padEnd(30)}${seconds.toFixed(1).padStart(6)} s   ${counts}`
}

/** @param {string} line */
const print = (line) => process.stdout.write(`${line}\n`)

const started = performance.now()
const reports = await runSteps(select(process.argv.slice(2)), {
  onStart: (step) => print(`...     ${step.title}`),
  onEnd: (report) => {
    print(row(report))
    if (report.failed > 0) print(`\n${report.output.trim()}\n`)
    else if (report.passed === 0) print(`        ${report.output.trim()}`)
  }
})

print("\nSummary")
for (const report of reports) print(row(report))
print(`All steps took ${((performance.now() - started) / 1000).toFixed(1)} s.\n`)

/** @param {"passed" | "failed" | "skipped"} key */
const total = (key) => reports.reduce((sum, report) => sum + report[key], 0)
print(`${total("passed")} passed, ${total("failed")} failed, ${total("skipped")} skipped`)
process.exitCode = total("failed") > 0 ? 1 : 0

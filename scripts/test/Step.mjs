/**
 * One part of `npm test`. It waits for the steps it `needs`, and is not run where one of them failed. A step that measures
 * time runs `alone`.
 *
 * @typedef {{ readonly passed: number, readonly failed: number, readonly skipped: number, readonly output: string }} Outcome
 *
 * @typedef {{
 *   readonly name: string
 *   readonly title: string
 *   readonly needs?: ReadonlyArray<string>
 *   readonly alone?: boolean
 *   readonly run: () => Promise<Outcome>
 * }} Step
 *
 * @typedef {Outcome & { readonly step: Step, readonly seconds: number }} Report
 */

/** Two, because most checks are busy with one core and the machines that run them have at least two. */
const concurrency = 2

/** @param {string} reason @returns {Outcome} */
export const skipped = (reason) => ({ passed: 0, failed: 0, skipped: 1, output: reason })

/**
 * The outcome of a step that is one check: it passed or it failed.
 *
 * @param {import("../Subprocess.mjs").Finished} finished
 * @returns {Outcome}
 */
export const single = ({ code, output }) => ({
  passed: code === 0 ? 1 : 0,
  failed: code === 0 ? 0 : 1,
  skipped: 0,
  output
})

/**
 * The outcome of a step that counts its tests. A run that failed without a failing test (a file that does not load) counts
 * as one failure, and so does a run that found no test at all.
 *
 * @param {Pick<import("../Subprocess.mjs").Finished, "code" | "output">} finished
 * @param {{ readonly passed: number, readonly failed: number, readonly skipped: number }} counts
 * @returns {Outcome}
 */
export const counted = ({ code, output }, counts) => {
  const isEmpty = counts.passed + counts.failed + counts.skipped === 0
  return {
    ...counts,
    failed: counts.failed === 0 && (code !== 0 || isEmpty) ? 1 : counts.failed,
    output: code === 0 && isEmpty ? `${output}\nno test was found` : output
  }
}

/**
 * Runs steps in their order, up to two at a time, and goes on after a failure.
 *
 * @param {ReadonlyArray<Step>} steps
 * @param {{ readonly onStart: (step: Step) => void, readonly onEnd: (report: Report) => void }} listener
 * @returns {Promise<ReadonlyArray<Report>>}
 */
export const runSteps = async (steps, listener) => {
  const waiting = [...steps]
  /** @type {Map<Step, Promise<void>>} */
  const running = new Map()
  /** @type {Array<Report>} */
  const reports = []

  /** @param {string} name */
  const isPending = (name) =>
    waiting.some((step) => step.name === name) || [...running.keys()].some((step) => step.name === name)

  /** @param {Step} step */
  const canStart = (step) =>
    running.size === 0
    || (running.size < concurrency && step.alone !== true && ![...running.keys()].some((other) => other.alone))

  /** @param {Step} step @returns {Promise<Outcome>} */
  const outcomeOf = async (step) => {
    const broken = (step.needs ?? []).find((name) =>
      reports.some((report) => report.step.name === name && report.failed > 0)
    )
    if (broken !== undefined) return skipped(`not run, because "${broken}" failed`)
    listener.onStart(step)
    try {
      return await step.run()
    } catch (error) {
      const output = error instanceof Error ? error.stack ?? error.message : String(error)
      return { passed: 0, failed: 1, skipped: 0, output }
    }
  }

  /** @param {Step} step */
  const start = async (step) => {
    const started = performance.now()
    const outcome = await outcomeOf(step)
    const report = { ...outcome, step, seconds: (performance.now() - started) / 1000 }
    reports.push(report)
    running.delete(step)
    listener.onEnd(report)
  }

  while (waiting.length > 0 || running.size > 0) {
    const index = waiting.findIndex((step) => !(step.needs ?? []).some(isPending))
    const step = waiting[index]
    if (step !== undefined && canStart(step)) {
      waiting.splice(index, 1)
      // Started a tick later, because a step that is skipped ends at once and is removed again.
      running.set(step, Promise.resolve().then(() => start(step)))
    } else {
      await Promise.race(running.values())
    }
  }
  return reports
}

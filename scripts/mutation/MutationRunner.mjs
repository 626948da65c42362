/**
 * Runs each test once as it is, to see which mutants it reaches, and then once more for each of those that no test has
 * noticed so far. All mutants are in the one copy of the sources that is loaded, so that switching costs nothing.
 */
import { appendFileSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { TestRunner } from "vitest"

/** @typedef {{ activeMutant?: string, currentTestId?: string, hitCount?: number, hitLimit?: number, mutantCoverage: Coverage }} Switches */
/** @typedef {{ static: Record<string, number>, perTest: Record<string, Record<string, number>> }} Coverage */

const session = /** @type {string} */ (process.env["MUTATION_SESSION"])
/** @type {ReadonlyArray<import("./Mutants.mjs").Mutant>} */
const mutants = JSON.parse(readFileSync(join(session, "mutants.json"), "utf8"))
const resultsFile = join(session, "results.jsonl")

/** How far beyond what it did unchanged a test may go before it counts as one that never ends. */
const hitFactor = 100
/** A test that keeps a processor busy for longer is put off, or left out: it would run once for every mutant it reaches. */
const longestTestMillis = Number(process.env["MUTATION_LONGEST_TEST"])
const timeFactor = 20
const timeFloorMillis = 3_000
/** How long nothing at all has to happen before a test counts as stuck. */
const idleMillis = 500

export default class MutationRunner extends TestRunner {
  /** @type {Switches} */
  switches = (/** @type {any} */ (globalThis)).__stryker__ ??= {}
  coverage = this.switches.mutantCoverage ??= { static: {}, perTest: {} }
  byId = new Map(mutants.filter(({ excluded }) => excluded === undefined).map((mutant) => [mutant.id, mutant]))
  progress = openSync(join(session, "progress"), "w")
  skipped = new Set(/** @type {Array<string>} */ (JSON.parse(readFileSync(join(session, "done.json"), "utf8"))))
  polluted = false

  /** @param {any} config */
  constructor(config) {
    super(config)
    for (const { key, status } of readResults()) {
      if (status === "killed" || status === "timeout") this.killed.add(key)
    }
  }

  /** @type {Set<string>} */
  killed = new Set()

  /** @param {import("vitest").RunnerTestCase} test */
  async runTask(test) {
    const run = TestRunner.getTestFn(test)
    const name = `${test.file.name} > ${test.fullName}`
    if (this.skipped.has(name) || this.polluted) return
    const before = performance.now()
    const cpuBefore = process.cpuUsage()
    const first = await this.attempt(run, name, Number.POSITIVE_INFINITY)
    const baseMillis = performance.now() - before
    const cpu = process.cpuUsage(cpuBefore)
    const cpuMillis = Math.round((cpu.user + cpu.system) / 1000)
    const reached = this.coverage.perTest[name] ?? {}
    delete this.coverage.perTest[name]
    this.switches.currentTestId = "with a mutant"
    if (first.failed) {
      record({ status: "broken", test: name, reason: first.reason })
      return
    }
    if (cpuMillis > longestTestMillis) {
      record({ status: "long", test: name, reached: this.keys(reached), millis: cpuMillis })
      return
    }
    const limit = timeFloorMillis + timeFactor * baseMillis
    for (const id of Object.keys(reached)) {
      const mutant = this.byId.get(id)
      if (mutant === undefined || this.killed.has(mutant.key)) continue
      this.announce(mutant.key, name, limit)
      this.switches.hitCount = 0
      this.switches.hitLimit = hitFactor * /** @type {number} */ (reached[id]) + 1_000
      this.switches.activeMutant = id
      const outcome = await this.attempt(run, undefined, limit)
      delete this.switches.activeMutant
      delete this.switches.hitCount
      if (!outcome.failed) continue
      this.announce("", name, limit)
      // A mutant may leave something behind that fails the test from now on; what fails after that proves nothing.
      const again = await this.attempt(run, undefined, limit)
      this.killed.add(mutant.key)
      record({
        key: mutant.key,
        status: outcome.timedOut ? "timeout" : "killed",
        test: name,
        reason: outcome.reason
      })
      if (again.failed) {
        record({ status: "polluted", key: mutant.key, test: name, reason: again.reason })
        this.polluted = true
        return
      }
    }
    this.announce("", name, limit)
    delete this.coverage.perTest["with a mutant"]
    record({ status: "done", test: name, reached: this.keys(reached), millis: cpuMillis })
  }

  /**
   * @override
   * @param {any} files
   */
  onAfterRunFiles(files) {
    record({ status: "static", file: files[0]?.name, reached: this.keys(this.coverage.static) })
    if (!this.polluted) record({ status: "file", file: files[0]?.name })
    super.onAfterRunFiles(files)
  }

  /**
   * @param {() => unknown} run
   * @param {string | undefined} testId
   * @param {number} limitMillis
   * @returns {Promise<{ failed: boolean, timedOut: boolean, reason: string }>}
   */
  async attempt(run, testId, limitMillis) {
    if (testId !== undefined) this.switches.currentTestId = testId
    const watch = new AbortController()
    try {
      const outcome = await Promise.race([
        Promise.resolve(run()).then(() => undefined),
        stuck(limitMillis, watch.signal)
      ])
      return outcome === undefined
        ? { failed: false, timedOut: false, reason: "" }
        : { failed: true, timedOut: true, reason: outcome }
    } catch (error) {
      const reason = String(/** @type {any} */ (error)?.message ?? error)
      return { failed: true, timedOut: reason.includes("Hit count limit"), reason: reason.slice(0, 200) }
    } finally {
      watch.abort()
    }
  }

  /** @param {Record<string, number>} counts */
  keys(counts) {
    return Object.keys(counts).flatMap((id) => this.byId.get(id)?.key ?? [])
  }

  /**
   * A loop that never yields can only be seen from outside.
   *
   * @param {string} key
   * @param {string} test
   * @param {number} limitMillis
   */
  announce(key, test, limitMillis) {
    writeSync(this.progress, `${JSON.stringify({ key, test, limitMillis })}\n`.padEnd(600), 0)
  }
}

/**
 * Says why, once the time is up or nothing has moved for a while.
 *
 * @param {number} limitMillis
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
const stuck = (limitMillis, signal) =>
  new Promise((resolve) => {
    if (limitMillis === Number.POSITIVE_INFINITY) return
    const start = performance.now()
    let idle = 0
    // Not the processor time, which a busy machine may withhold from a test that has work to do.
    let seen = performance.eventLoopUtilization()
    const timer = setInterval(() => {
      const since = performance.eventLoopUtilization(seen)
      seen = performance.eventLoopUtilization()
      idle = since.utilization < 0.2 && !waitsForRealTime() ? idle + since.idle : 0
      if (idle >= idleMillis) resolve("nothing happens any more")
      else if (performance.now() - start > limitMillis) resolve(`not finished after ${Math.round(limitMillis)} ms`)
    }, 50)
    signal.addEventListener("abort", () => clearInterval(timer))
  })

/** Vitest's own limit on the test and the timer above are always there. */
const ownTimers = 2
const waitsForRealTime = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length > ownTimers

/** @param {object} result */
const record = (result) => appendFileSync(resultsFile, `${JSON.stringify(result)}\n`)

/** @returns {Array<{ key: string, status: string }>} */
const readResults = () =>
  readFileSync(resultsFile, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

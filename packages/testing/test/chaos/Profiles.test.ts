import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Chaos from "@effect-claude/testing/Chaos"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { type Pipeline, rage, type Scenario, type Tally } from "./ProfileStorm.ts"

const minute = 60_000

/** One period of the profile that has the longest: a storm, and the time after it. */
const tenMinutes = { callers: 200, end: 10 * minute }

const none: Pipeline = (base) => base

/** What many programs have: five more attempts after 1, 2, 4, 8 and 16 seconds, whatever the failure. */
const naive: Pipeline = (base) => {
  const schedule = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 5 }))
  const wrap = (inner: ClaudeServiceShape): ClaudeServiceShape => ({
    ...inner,
    createMessage: (request, options) => Effect.retry(inner.createMessage(request, options), schedule)
  })
  return Layer.effect(ClaudeService, Effect.map(ClaudeService, wrap)).pipe(Layer.provide(base))
}

const standard: Pipeline = ClaudeLayer.standard()
const tenAttempts: Pipeline = ClaudeLayer.standard({ retry: ClaudeSchedule.make({ attempts: 10 }) })
const recovering: Pipeline = ClaudeLayer.standard({ streamRecovery: {} })

/** What a pipeline has to keep to: the least share of calls that succeed, and the most requests, for all calls and for one. */
interface Bound {
  readonly success: number
  readonly requests: number
  readonly ofOne: number
}

interface Row {
  readonly profile: ReadonlyArray<Chaos.Injection>
  readonly messages: Bound
  /** Only where a stream meets something else than a message does. */
  readonly streams?: Bound
  /** With `streamRecovery`; only where streams break. */
  readonly recovered?: Bound
}

const rows: Readonly<Record<string, Row>> = {
  overloadStorm: {
    profile: Chaos.overloadStorm(),
    messages: { success: 0.97, requests: 1.15, ofOne: 3 }
  },
  rateLimitWave: {
    profile: Chaos.rateLimitWave(),
    messages: { success: 1, requests: 1.02, ofOne: 3 }
  },
  brownout: {
    profile: Chaos.brownout(),
    messages: { success: 0.985, requests: 1.25, ofOne: 3 }
  },
  flappingNetwork: {
    profile: Chaos.flappingNetwork(),
    messages: { success: 0.98, requests: 1.2, ofOne: 3 },
    streams: { success: 0.95, requests: 1.2, ofOne: 3 },
    recovered: { success: 0.97, requests: 1.2, ofOne: 7 }
  },
  slowFirstByte: {
    profile: Chaos.slowFirstByte(),
    messages: { success: 1, requests: 1.01, ofOne: 2 },
    streams: { success: 0.95, requests: 1.25, ofOne: 2 }
  },
  midStreamCuts: {
    profile: Chaos.midStreamCuts(),
    messages: { success: 0.98, requests: 1.3, ofOne: 3 },
    streams: { success: 0.93, requests: 1.01, ofOne: 1 },
    recovered: { success: 1, requests: 1.1, ofOne: 4 }
  },
  spendCap: {
    profile: Chaos.spendCap({ from: "5 minutes" }),
    messages: { success: 0.48, requests: 1, ofOne: 1 }
  }
}

const percent = (tally: Tally): string => `${(100 * tally.succeeded / tally.calls).toFixed(1)} %`

const cells = (tally: Tally): ReadonlyArray<string> => [
  `${percent(tally)}, ${(tally.requests / tally.calls).toFixed(2)}`,
  `${(tally.p99 / 1000).toFixed(0)} s`
]

const line = (name: string, ...tallies: ReadonlyArray<Tally>): string =>
  [name, ...tallies.flatMap(cells)].map((cell) => cell.padEnd(16)).join("").trimEnd()

const within = (tally: Tally, { ofOne, requests, success }: Bound, report: string) => {
  assert.isAbove(tally.calls, 400, report)
  assert.isAtLeast(tally.succeeded / tally.calls, success, report)
  assert.isAtMost(tally.requests / tally.calls, requests, report)
  assert.isAtMost(tally.requestsOfOne, ofOne, report)
}

const successOf = ({ calls, succeeded }: Tally): number => succeeded / calls
const requestsOf = ({ calls, requests }: Tally): number => requests / calls

describe("profiles against standard(): success and requests a call, p99", () => {
  for (const [name, { messages, profile, recovered, streams }] of Object.entries(rows)) {
    it.effect(`${name}, messages`, () =>
      Effect.gen(function*() {
        const asking: Scenario = { ...tenMinutes, think: 3 * minute, method: "createMessage" }
        const bare = yield* rage(asking, profile, none)
        const retried = yield* rage(asking, profile, naive)
        const ours = yield* rage(asking, profile, standard)
        const report = line(name, bare, retried, ours)
        console.log(report)
        within(ours, messages, report)

        // The bound means something: without a pipeline calls fail, or a plain retry sends more.
        const saves = successOf(bare) < messages.success - 0.02
        const spares = requestsOf(retried) > messages.requests + 0.05
        assert.isTrue(saves || spares || name === "slowFirstByte", report)
        assert.isAtLeast(successOf(ours), successOf(bare), report)
      }), 120_000)

    if (streams === undefined) continue
    it.effect(`${name}, streams`, () =>
      Effect.gen(function*() {
        const streaming: Scenario = { ...tenMinutes, think: 5 * minute, method: "streamMessage" }
        const bare = yield* rage(streaming, profile, none)
        const ours = yield* rage(streaming, profile, standard)
        const mended = recovered === undefined ? undefined : yield* rage(streaming, profile, recovering)
        const report = line(`${name} (s)`, bare, ours, ...(mended === undefined ? [] : [mended]))
        console.log(report)
        within(ours, streams, report)
        if (mended === undefined || recovered === undefined) return
        within(mended, recovered, report)
        assert.isAbove(successOf(mended), successOf(ours), report)
      }), 120_000)
  }

  it.effect("overloadStorm with little traffic: probes use up the attempts of the calls that wait", () =>
    Effect.gen(function*() {
      const rare: Scenario = { callers: 50, think: 4.5 * minute, end: 10 * minute, method: "createMessage" }
      const ours = yield* rage(rare, Chaos.overloadStorm(), standard)
      const persistent = yield* rage(rare, Chaos.overloadStorm(), tenAttempts)
      const report = line("little traffic", ours, persistent)
      console.log(report)

      // Each call that fails has sent its third and last attempt into the storm, and that was its answer.
      const failed = ours.calls - ours.succeeded
      assert.deepStrictEqual(ours.failures, { OverloadedError: failed }, report)
      assert.isAtLeast(failed / ours.calls, 0.1, report)
      assert.isAtMost(failed / ours.calls, 0.2, report)
      assert.strictEqual(ours.requestsOfOne, 3, report)
      assert.isAtLeast(ours.requests - ours.calls, 2 * failed, report)

      assert.strictEqual(successOf(persistent), 1, report)
      assert.isAtMost(requestsOf(persistent), 1.6, report)
    }))

  it.effect("the same seed gives the same night, another one another", () =>
    Effect.gen(function*() {
      for (const method of ["createMessage", "streamMessage"] as const) {
        const short: Scenario = { callers: 10, think: minute, end: 2 * minute, method }
        // Without the storm, in which everything fails whatever is drawn.
        const all = Object.entries(rows).flatMap(([name, { profile }]) => name === "overloadStorm" ? [] : profile)
        const night = yield* rage(short, all, standard, "a")
        assert.deepStrictEqual(yield* rage(short, all, standard, "a"), night)
        assert.notDeepEqual(yield* rage(short, all, standard, "b"), night)
      }
    }), 120_000)
})

import type * as Alerts from "@effect-claude/client/Alerts"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import { createMessage, streamEvents, using } from "./support.ts"

type Step = Parameters<typeof ClaudeTest.script>[0][number]
type Options = Omit<Alerts.AlertsOptions, "onAlert">

const good = Reply.text("hi")
const off: Options = { successRate: false, errorRate: false, rateLimits: false, immediate: false }

/** Makes one call for each step, some time apart, and returns the alerts that were given. */
const observe = (
  steps: ReadonlyArray<Step>,
  options: Options,
  { apart = "1 second", call = createMessage }: {
    readonly apart?: Duration.Input
    readonly call?: Effect.Effect<unknown, ClaudeError, ClaudeService>
  } = {}
) => {
  const given: Array<Alerts.Alert> = []
  let start = 0
  const layer = ClaudeTest.script(steps).pipe(
    ClaudeLayer.withAlerts({
      ...options,
      onAlert: (alert) => Effect.sync(() => given.push({ ...alert, at: alert.at - start }))
    })
  )
  const test = Effect.gen(function*() {
    start = yield* Clock.currentTimeMillis
    for (let count = 0; count < steps.length; count++) {
      yield* Effect.ignore(call)
      yield* TestClock.adjust(apart)
    }
    return given
  })
  return using(test, layer)
}

const times = (count: number, step: Step): ReadonlyArray<Step> => Array.from({ length: count }, () => step)

describe("ClaudeLayer.withAlerts", () => {
  it.effect("a success rate under 95 % of at least 20 calls, once", () =>
    Effect.gen(function*() {
      for (const call of [createMessage, streamEvents]) {
        const options = { ...off, successRate: undefined }
        const nineteen = [...times(18, good), Fault.overloaded()]
        assert.deepStrictEqual(yield* observe([...nineteen, good], options, { call }), [])
        const failing = Fault.overloaded({ requestId: "req_1" })
        const given = yield* observe([...nineteen, failing, failing, good], options, { call })
        assert.deepStrictEqual(given, [{
          _tag: "SuccessRateLow",
          at: 19_000,
          rate: 0.9,
          below: 0.95,
          total: 20,
          failed: 2,
          window: Duration.minutes(5),
          error: "OverloadedError",
          requestId: "req_1"
        }])
      }
    }))

  it.effect("what a retry mends is a call that succeeds, and a request that fails", () =>
    Effect.gen(function*() {
      const given: Array<Alerts.Alert> = []
      const steps = Array.from({ length: 20 }, () => [Fault.overloaded(), good]).flat()
      const layer = ClaudeTest.script(steps).pipe(
        ClaudeLayer.withRetry(Schedule.recurs(1)),
        ClaudeLayer.withAlerts({ onAlert: (alert) => Effect.sync(() => given.push(alert)) })
      )
      yield* using(Effect.replicateEffect(createMessage, 20), layer)
      assert.deepStrictEqual(given.map(({ _tag }) => _tag), ["ErrorRateHigh"])
      assert.deepInclude(given[0], { above: 0.1, total: 21, failed: 11, error: "OverloadedError" })
    }))

  it.effect("what a policy turned away is no request, and a call that ends with it failed", () =>
    Effect.gen(function*() {
      const given = yield* observe(times(40, Fault.circuitOpen()), {
        ...off,
        successRate: undefined,
        errorRate: undefined
      })
      assert.deepStrictEqual(given.map(({ _tag }) => _tag), ["SuccessRateLow"])
    }))

  it.effect("more than 50 rate limits in a minute", () =>
    Effect.gen(function*() {
      const options = { ...off, rateLimits: undefined }
      assert.deepStrictEqual(yield* observe(times(50, Fault.rateLimit()), options), [])
      assert.deepStrictEqual(yield* observe(times(200, Fault.rateLimit()), options, { apart: "1.3 seconds" }), [])
      const given = yield* observe(times(60, Fault.rateLimit({ requestId: "req_1" })), options)
      assert.deepStrictEqual(given, [{
        _tag: "RateLimitsFrequent",
        at: 50_000,
        count: 51,
        above: 50,
        window: Duration.minutes(1),
        requestId: "req_1"
      }])
    }))

  it.effect("at once on an error of the key or of the account, each once", () =>
    Effect.gen(function*() {
      const steps = [
        Fault.invalidRequest(),
        Fault.authentication({ requestId: "req_1" }),
        Fault.billing(),
        Fault.spendLimit({ errorCode: "enforced_spend_limit_reached" }),
        Fault.authentication()
      ]
      for (const call of [createMessage, streamEvents]) {
        const given = yield* observe(steps, {}, { call })
        assert.deepStrictEqual(
          given.map((alert) => alert._tag === "ErrorSeen" ? [alert.error, alert.at] : alert._tag),
          [["AuthenticationError", 1000], ["BillingError", 2000], ["SpendLimitError", 3000]]
        )
        assert.deepInclude(given[0], { requestId: "req_1" })
        assert.deepInclude(given[2], { errorCode: "enforced_spend_limit_reached" })
      }
    }))

  it.effect("at once on any tag one names, also of an error that no request failed with, and on one that a fallback hid", () =>
    Effect.gen(function*() {
      const given: Array<Alerts.Alert> = []
      const onAlert = (alert: Alerts.Alert) => Effect.sync(() => given.push(alert))
      const late = ClaudeTest.script([Fault.hang()]).pipe(
        ClaudeLayer.withDeadline("1 minute"),
        ClaudeLayer.withAlerts({ onAlert, immediate: ["DeadlineExceededError"] })
      )
      const call = Effect.andThen(Effect.forkChild(Effect.ignore(createMessage)), TestClock.adjust("2 minutes"))
      yield* using(call, late)
      const hidden = ClaudeTest.script([Fault.spendLimit()]).pipe(
        ClaudeLayer.withFallback({ answer: () => "We are busy" }),
        ClaudeLayer.withAlerts({ onAlert })
      )
      yield* using(createMessage, hidden)
      assert.deepStrictEqual(
        given.map((alert) => alert._tag === "ErrorSeen" ? alert.error : alert._tag),
        ["DeadlineExceededError", "SpendLimitError"]
      )
    }))

  it.effect("the same alert again only after repeatAfter", () =>
    Effect.gen(function*() {
      const options = { repeatAfter: "10 seconds" as const, immediate: ["OverloadedError"] as const }
      const given = yield* observe(times(25, Fault.overloaded()), { ...off, ...options })
      assert.deepStrictEqual(given.map(({ at }) => at), [0, 10_000, 20_000])
      const always = yield* observe(times(3, Fault.overloaded()), { ...off, ...options, repeatAfter: 0 })
      assert.strictEqual(always.length, 3)
    }))

  it.effect("a window forgets: failures that are past say nothing of now", () =>
    Effect.gen(function*() {
      const options = { ...off, successRate: { window: "1 minute" as const, minimumCalls: 20 } }
      const steps = [...times(19, Fault.overloaded()), ...times(100, good), Fault.overloaded()]
      assert.deepStrictEqual(yield* observe(steps, options, { apart: "1 second" }), [])
    }))

  it.effect("interrupted calls are not counted", () =>
    Effect.gen(function*() {
      const options = { ...off, successRate: { minimumCalls: 1 }, errorRate: { minimumCalls: 1 } }
      const call = Effect.andThen(
        Effect.forkChild(Effect.timeoutOption(createMessage, "1 second"), { startImmediately: true }),
        TestClock.adjust("2 seconds")
      )
      assert.deepStrictEqual(yield* observe(times(30, Fault.hang()), options, { call }), [])
    }))

  it.effect("can be switched off one by one", () =>
    Effect.gen(function*() {
      const steps = [...times(60, Fault.rateLimit()), Fault.authentication()]
      assert.deepStrictEqual(yield* observe(steps, off), [])
      const all = yield* observe(steps, {})
      assert.sameMembers(all.map(({ _tag }) => _tag), [
        "SuccessRateLow",
        "ErrorRateHigh",
        "RateLimitsFrequent",
        "ErrorSeen"
      ])
    }))

  it.effect("onAlert that fails or dies is logged and touches no call, nor the next alert", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => {
        lines.push(message)
      })
      const seen: Array<string> = []
      const layer = ClaudeTest.script([Fault.authentication(), Fault.billing(), Fault.spendLimit()]).pipe(
        ClaudeLayer.withAlerts({
          onAlert: (alert) => {
            seen.push(alert._tag === "ErrorSeen" ? alert.error : alert._tag)
            if (seen.length === 1) throw new Error("no pager")
            return seen.length === 2 ? Effect.fail("no pager") : Effect.void
          }
        })
      )
      const call = Effect.flip(createMessage)
      const errors = yield* using(Effect.tap(Effect.all([call, call, call]), TestClock.adjust("1 second")), layer).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.deepStrictEqual(seen, ["AuthenticationError", "BillingError", "SpendLimitError"])
      assert.deepStrictEqual(errors.map(({ _tag }): string => _tag), seen)
      assert.strictEqual(lines.length, 2)
    }))

  it.effect("runs so many onAlert at a time, beside the calls, and the layer's end waits for those that are left", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      let ended = 0
      const release = yield* Deferred.make<void>()
      const onAlert = () =>
        Effect.gen(function*() {
          running += 1
          most = Math.max(most, running)
          yield* Deferred.await(release)
          running -= 1
          ended += 1
        })
      const layer = ClaudeTest.script(times(10, Fault.overloaded())).pipe(
        ClaudeLayer.withAlerts({ ...off, immediate: ["OverloadedError"], repeatAfter: 0, concurrency: 2, onAlert })
      )
      const test = Effect.gen(function*() {
        for (let count = 0; count < 10; count++) yield* Effect.ignore(createMessage)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([running, ended], [2, 0])
        yield* Deferred.succeed(release, undefined)
      })
      yield* using(test, layer)
      assert.deepStrictEqual([running, ended, most], [0, 10, 2])
    }))

  it.effect("onAlert has the services it asks the layer for, and two layers each give their own", () =>
    Effect.gen(function*() {
      class Pager extends Context.Service<Pager, { readonly page: (text: string) => void }>()("Pager") {}
      const paged: Array<string> = []
      const onAlert = (name: string) => (alert: Alerts.Alert) =>
        Effect.map(Pager, ({ page }) => page(`${name} ${alert._tag}`))
      const layer = ClaudeTest.script([Fault.authentication()]).pipe(
        ClaudeLayer.withAlerts({ onAlert: onAlert("inner") }),
        ClaudeLayer.withAlerts({ onAlert: onAlert("outer") }),
        Layer.provide(Layer.succeed(Pager, { page: (text) => paged.push(text) }))
      )
      yield* using(Effect.andThen(Effect.ignore(createMessage), TestClock.adjust("1 second")), layer)
      assert.sameMembers(paged, ["inner ErrorSeen", "outer ErrorSeen"])
    }))

  it.effect("options that cannot be meant are refused by name", () =>
    Effect.sync(() => {
      const refused = (options: Options, option: string) =>
        assert.throws(
          () => ClaudeLayer.withAlerts({ ...options, onAlert: () => Effect.void }),
          RangeError,
          `"${option}"`
        )
      refused({ successRate: { below: 95 } }, "successRate.below")
      refused({ successRate: { window: 0 } }, "successRate.window")
      refused({ errorRate: { above: -0.1 } }, "errorRate.above")
      refused({ errorRate: { minimumCalls: 0 } }, "errorRate.minimumCalls")
      refused({ rateLimits: { above: Number.NaN } }, "rateLimits.above")
      refused({ repeatAfter: "Infinity" }, "repeatAfter")
      refused({ concurrency: 1.5 }, "concurrency")
    }))
})

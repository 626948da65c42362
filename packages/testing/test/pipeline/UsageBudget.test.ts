import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import * as UsageBudget from "@effect-claude/client/UsageBudget"
import * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { calls, createMessage, request, runFor, streamEvents, using } from "./support.ts"
import { entriesOf, shown, totals } from "./usageSupport.ts"

const script = (...steps: ReadonlyArray<ClaudeTest.Step>) => ClaudeTest.script(steps)

/** "Hello" is taken for 6 tokens of input; with `max_tokens` 100 a first request reserves 106. */
const reserved = 106
const usage = { input_tokens: 6, output_tokens: 20 }
const answer = () => Reply.text("hi", { usage })
const always = () => ClaudeTest.script([], { after: answer() })

const budgetOf = (tokens: number, options: Partial<UsageBudget.Options> = {}) =>
  UsageBudget.makeUnsafe({ name: "test", limit: { tokens }, ...options })

const tagOf = <A, R>(call: Effect.Effect<A, ClaudeError, R>) =>
  Effect.map(Effect.result(call), (result) => Result.isSuccess(result) ? "ok" : result.failure._tag)

const sent = Effect.map(calls, (all) => all.length)

const operations = [
  ["a message", Effect.asVoid(createMessage)],
  ["a stream", Effect.asVoid(streamEvents)]
] as const

describe("a request is sent only if all of it fits", () => {
  for (const [name, call] of operations) {
    it.effect(`${name}: what is reserved gives way to what was used`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(reserved)
        assert.strictEqual(yield* tagOf(call.pipe(UsageBudget.withBudget(budget))), "ok")
        assert.deepStrictEqual(yield* budget.level, { spent: 26, reserved: 0, remaining: 80 })
        const error = yield* Effect.flip(call.pipe(UsageBudget.withBudget(budget)))
        assert.deepInclude(error, {
          _tag: "UsageBudgetExceededError",
          budget: "test",
          unit: "tokens",
          limit: reserved,
          spent: 26,
          model: request.model
        })
        assert.strictEqual(error.verdict._tag, "Stop")
        assert.strictEqual(yield* sent, 1)
      }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))

    it.effect(`${name}: one token less, and nothing is sent`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(reserved - 1)
        assert.strictEqual(yield* tagOf(call.pipe(UsageBudget.withBudget(budget))), "UsageBudgetExceededError")
        assert.strictEqual(yield* sent, 0)
        assert.deepStrictEqual(yield* budget.level, { spent: 0, reserved: 0, remaining: reserved - 1 })
        assert.deepInclude(yield* totals, { calls: 0, attempts: 0 })
      }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))

    it.effect(`${name}: those under way count as what they may use`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(2 * reserved)
        const fibers = yield* Effect.forEach([1, 2, 3], () =>
          Effect.forkChild(tagOf(call.pipe(UsageBudget.withBudget(budget))), { startImmediately: true }))
        assert.deepInclude(yield* budget.level, { spent: 0, reserved: 2 * reserved })
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["ok", "ok", "UsageBudgetExceededError"])
        assert.deepInclude(yield* budget.level, { spent: 52, reserved: 0 })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([], { after: answer().pipe(ClaudeTest.delayed("1 second")) }).pipe(
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name}: a retry draws on the budget, and has what the failure before it gave back`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(reserved)
        assert.strictEqual(yield* tagOf(call.pipe(UsageBudget.withBudget(budget))), "ok")
        assert.strictEqual(yield* sent, 3)
        assert.deepInclude(yield* budget.level, { spent: 26, reserved: 0 })
      }).pipe((test) =>
        using(
          test,
          script(Fault.overloaded(), Fault.internalServer(), answer()).pipe(
            ClaudeLayer.withRetry(Schedule.recurs(3)),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name}: a retry that does not fit ends the call, with the failure before it as the cause`, () =>
      Effect.gen(function*() {
        const { result } = yield* runFor(call, "1 minute")
        const error = Result.isFailure(result) ? result.failure : undefined
        assert.deepInclude(error, { _tag: "UsageBudgetExceededError", budget: "call", attempt: 2 })
        assert.strictEqual((error?.cause as ClaudeError | undefined)?._tag, "AttemptTimeoutError")
        assert.strictEqual(yield* sent, 1)
      }).pipe((test) =>
        using(
          test,
          script(Fault.hang()).pipe(
            ClaudeLayer.withAttemptTimeout({ attempt: "5 seconds" }),
            ClaudeLayer.withRetry(Schedule.recurs(3)),
            ClaudeLayer.withUsageLedger({ budget: { call: { limit: { tokens: 2 * reserved - 1 } } } })
          )
        )
      ))

    it.effect(`${name}: a hedge that does not fit is left out, and the call goes on`, () =>
      Effect.gen(function*() {
        const { entries, result } = yield* Effect.scoped(entriesOf(runFor(call, "1 minute")))
        assert.isTrue(result._tag === "Success" && Result.isSuccess(result.value.result))
        assert.deepStrictEqual(entries.map(shown), [["first", "answered"]])
        assert.strictEqual(yield* sent, 1)
      }).pipe((test) =>
        using(
          test,
          script(answer().pipe(ClaudeTest.delayed("10 seconds"))).pipe(
            ClaudeLayer.withHedge({ delay: "1 second" }),
            ClaudeLayer.withUsageLedger({ budget: { call: { limit: { tokens: reserved } } } })
          )
        )
      ))

    it.effect(`${name}: the fallback does not take a call that the budget refused, unless it is told to`, () =>
      Effect.gen(function*() {
        const refused = always().pipe(
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], answer: () => "later" }),
          ClaudeLayer.withUsageLedger({ budget: { call: { limit: { usd: 0.0001 } } } })
        )
        assert.strictEqual(yield* using(tagOf(call), refused), "UsageBudgetExceededError")
        // 106 tokens of the small model cost little more than a thousandth of a cent.
        const cheaper = always().pipe(
          ClaudeLayer.withFallback({
            models: ["claude-haiku-5-5"],
            shouldFallback: (error) => error._tag === "UsageBudgetExceededError" || ClaudeLayer.shouldFallback(error)
          }),
          ClaudeLayer.withUsageLedger({ budget: { call: { limit: { usd: 0.0001 } } } })
        )
        assert.strictEqual(yield* using(tagOf(call), cheaper), "ok")
      }))

    it.effect(`${name}: interrupted at any time it holds nothing; what nobody told stays counted`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(1000)
        const fiber = yield* Effect.forkChild(call.pipe(UsageBudget.withBudget(budget)), { startImmediately: true })
        assert.deepInclude(yield* budget.level, { reserved })
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* budget.level, { spent: reserved, reserved: 0, remaining: 1000 - reserved })
      }).pipe((test) => using(test, script(Fault.hang()).pipe(ClaudeLayer.withUsageLedger()))))
  }

  it.effect("a stream whose reader leaves counts with what had come", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const budget = budgetOf(1000)
      yield* claude.streamMessage(request).pipe(
        UsageBudget.streamWithBudget(budget),
        Stream.take(4),
        Stream.runDrain
      )
      const { reserved, spent } = yield* budget.level
      assert.strictEqual(reserved, 0)
      assert.isAbove(spent, 6)
      assert.isBelow(spent, 26)
    }).pipe((test) => using(test, script(Reply.text("a".repeat(100), { usage })).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("a consumer's failure is none of the stream's", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const { entries } = yield* Effect.scoped(entriesOf(
        claude.streamMessage(request).pipe(Stream.runForEach(({ type }) => Effect.fail(type)))
      ))
      assert.deepStrictEqual(entries.map(shown), [["first", "interrupted", "estimated"]])
    }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("token counts are free", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const count = claude.countTokens({ model: request.model, messages: request.messages })
      assert.strictEqual(yield* tagOf(count.pipe(UsageBudget.withBudget(budgetOf(0)))), "ok")
    }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))
})

describe("several budgets", () => {
  it.effect("nested regions: all or none", () =>
    Effect.gen(function*() {
      const outer = budgetOf(1000)
      const inner = budgetOf(reserved - 1)
      const call = createMessage.pipe(UsageBudget.withBudget(inner), UsageBudget.withBudget(outer))
      assert.strictEqual(yield* tagOf(call), "UsageBudgetExceededError")
      assert.deepStrictEqual(yield* outer.level, { spent: 0, reserved: 0, remaining: 1000 })
      yield* tagOf(createMessage.pipe(UsageBudget.withBudget(outer), UsageBudget.withBudget(outer)))
      assert.deepInclude(yield* outer.level, { spent: 26 })
    }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("of a call, of a key and of all", () => {
    const all = budgetOf(400, { name: "all" })
    const layer = always().pipe(ClaudeLayer.withUsageLedger({
      key: ({ metadata }) => metadata?.user_id ?? "nobody",
      budget: {
        all,
        key: (key) => key === "vip" ? undefined : { limit: { tokens: 130 } },
        call: ({ max_tokens }) => max_tokens > 100 ? { limit: { tokens: 150 } } : undefined
      }
    }))
    return using(
      Effect.gen(function*() {
        const claude = yield* ClaudeService
        const ask = (user_id: string, max_tokens = 100) =>
          Effect.map(
            Effect.result(claude.createMessage({ ...request, max_tokens, metadata: { user_id } })),
            (result) =>
              Result.isSuccess(result)
                ? "ok"
                : result.failure._tag === "UsageBudgetExceededError"
                ? result.failure.budget
                : result.failure._tag
          )
        assert.deepStrictEqual(
          [
            yield* ask("a"),
            yield* ask("a"),
            yield* ask("b"),
            yield* ask("vip"),
            yield* ask("vip"),
            yield* ask("vip", 200)
          ],
          ["ok", "key a", "ok", "ok", "ok", "call"]
        )
        for (let index = 0; index < 8; index++) yield* ask("vip")
        assert.strictEqual(yield* ask("vip"), "all")
        assert.deepInclude(yield* all.level, { spent: 12 * 26 })
      }),
      layer
    )
  })

  it.effect("in money, with the price of each model; without one it fails at once and names it", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const budget = UsageBudget.makeUnsafe({ limit: { usd: 1 } })
      yield* createMessage.pipe(UsageBudget.withBudget(budget))
      assert.deepInclude(yield* budget.level, { spent: 0.000212 })
      const error = yield* claude.createMessage({ ...request, model: "claude-mythos-5-2" }).pipe(
        UsageBudget.withBudget(budget),
        Effect.flip
      )
      assert.strictEqual(error._tag, "UsageBudgetExceededError")
      assert.include(error.message, `no price of the model "claude-mythos-5-2" is known`)
      assert.strictEqual(yield* sent, 1)
    }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("a cached prompt is reserved at the price of its longest write, a search at what it costs", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const prices = {
        "claude-sonnet-5-5": { input: 0, output: 0, cacheWrite5m: 1e6, cacheWrite1h: 2e6, cacheRead: 0 }
      }
      const requiredFor = (given: object) =>
        claude.createMessage({ ...request, ...given }).pipe(
          UsageBudget.withBudget(UsageBudget.makeUnsafe({ limit: { usd: 0 }, prices })),
          Effect.flip,
          Effect.map((error) => error._tag === "UsageBudgetExceededError" ? error.required : undefined)
        )
      const text = { type: "text", text: "Hello" }
      const marked = (ttl?: string) => ({
        messages: [{ role: "user", content: [{ ...text, cache_control: { type: "ephemeral", ttl } }] }]
      })
      assert.strictEqual(yield* requiredFor(marked()), 7)
      assert.strictEqual(yield* requiredFor(marked("1h")), 14)
      const search = { type: "web_search_20250305", name: "web_search", max_uses: 5 }
      assert.strictEqual(yield* requiredFor({ tools: [search] }), 0.05)
    }).pipe((test) => using(test, script().pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("the price of a long prompt is reserved a little before it begins", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const required = (length: number) =>
        claude.createMessage({
          ...request,
          model: "claude-haiku-5-5",
          messages: [{ role: "user", content: "a".repeat(length) }]
        }).pipe(
          UsageBudget.withBudget(UsageBudget.makeUnsafe({ limit: { usd: 0 } })),
          Effect.flip,
          Effect.map((error) => error._tag === "UsageBudgetExceededError" ? error.required ?? 0 : 0)
        )
      assert.closeTo(yield* required(100_000), 0.003, 0.0005)
      assert.closeTo(yield* required(300_000), 0.0455, 0.0005)
    }).pipe((test) => using(test, script().pipe(ClaudeLayer.withUsageLedger()))))
})

describe("windows, expectations and hands", () => {
  it.effect("a window begins anew, and what was sent before counts before", () =>
    Effect.gen(function*() {
      const budget = budgetOf(reserved, { window: "1 hour" })
      const call = createMessage.pipe(UsageBudget.withBudget(budget))
      yield* TestClock.adjust("30 minutes")
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust("10 minutes")
      const error = yield* Effect.flip(call)
      assert.deepStrictEqual(error.retryAfter, Duration.minutes(20))
      yield* TestClock.adjust("20 minutes")
      assert.deepStrictEqual(yield* budget.level, {
        spent: 0,
        reserved: 0,
        remaining: reserved,
        resetsAt: Duration.toMillis("2 hours")
      })
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(yield* budget.level, { spent: 0, reserved: 0 })
      yield* call
      assert.deepInclude(yield* budget.level, { spent: 26 })
    }).pipe((test) => using(test, script(Fault.hang(), answer()).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("a request that never fits has nothing to wait for", () =>
    Effect.gen(function*() {
      const error = yield* createMessage.pipe(UsageBudget.withBudget(budgetOf(10, { window: "1 hour" })), Effect.flip)
      assert.isUndefined(error.retryAfter)
    }).pipe((test) => using(test, script().pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("what is expected is learned from the answers", () =>
    Effect.gen(function*() {
      const budget = budgetOf(100_000, { reserve: "expected" })
      const fiber = yield* Effect.forkChild(
        createMessage.pipe(UsageBudget.withBudget(budget)),
        { startImmediately: true }
      )
      assert.strictEqual((yield* budget.level).reserved, 106)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      const next = yield* Effect.forkChild(
        createMessage.pipe(UsageBudget.withBudget(budget)),
        { startImmediately: true }
      )
      assert.strictEqual((yield* budget.level).reserved, 7 + 20)
      // Nobody told what it used, and half of it would be as true: the estimate stays.
      yield* Fiber.interrupt(next)
      assert.strictEqual((yield* budget.level).spent, 26 + 7 + 20)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: answer().pipe(ClaudeTest.delayed("1 second")) }).pipe(
          ClaudeLayer.withUsageLedger()
        )
      )
    ))

  it.effect("charge and reset", () =>
    Effect.gen(function*() {
      const budget = UsageBudget.makeUnsafe({ limit: { usd: 1 } })
      yield* Effect.forEach(Array.from({ length: 10 }), () => budget.charge(0.1))
      assert.deepStrictEqual(yield* budget.level, { spent: 1, reserved: 0, remaining: 0 })
      yield* budget.reset
      assert.deepStrictEqual(yield* budget.level, { spent: 0, reserved: 0, remaining: 1 })
    }))

  it.effect("a key's budget outlives its absence, and is forgotten beyond maxKeys, never while it is drawn on", () =>
    Effect.gen(function*() {
      const ask = (key: string) => tagOf(createMessage.pipe(UsageLedger.withKey(key)))
      const fiber = yield* Effect.forkChild(ask("a"), { startImmediately: true })
      assert.strictEqual(yield* ask("b"), "ok")
      assert.strictEqual(yield* ask("c"), "ok")
      // The oldest has a request under way, so the next one went.
      assert.strictEqual(yield* ask("a"), "UsageBudgetExceededError")
      assert.strictEqual(yield* ask("b"), "ok")
      yield* Fiber.interrupt(fiber)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.hang()], { after: answer() }).pipe(
          ClaudeLayer.withUsageLedger({ maxKeys: 2, budget: { key: { limit: { tokens: reserved + 20 } } } })
        )
      )
    ))

  it("refuses wrong options at once", () => {
    assert.throws(() => UsageBudget.makeUnsafe({ limit: {} as never }), RangeError, "limit")
    assert.throws(() => UsageBudget.makeUnsafe({ limit: { usd: 1, tokens: 1 } as never }), RangeError, "limit")
    assert.throws(() => UsageBudget.makeUnsafe({ limit: { usd: Number.NaN } }), RangeError, "limit.usd")
    assert.throws(() => budgetOf(1, { window: 0 }), RangeError, "window")
    assert.throws(() => budgetOf(1, { reserve: "most" as never }), RangeError, "reserve")
    assert.throws(
      () => ClaudeLayer.withUsageLedger({ budget: { call: { limit: { usd: 1 }, window: "1 day" } as never } }),
      RangeError,
      "budget.call.window"
    )
  })

  it.effect("a budget that nobody would keep to is a defect that says so", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(createMessage.pipe(UsageBudget.withBudget(budgetOf(1000))))
      assert.include(String(exit), "UsageBudget.withBudget: nobody sees")
    }).pipe((test) => using(test, ClaudeTest.empty)))

  it.effect("any policy around the service is enough to keep to it", () =>
    Effect.gen(function*() {
      const budget = budgetOf(reserved)
      assert.strictEqual(yield* tagOf(createMessage.pipe(UsageBudget.withBudget(budget))), "ok")
      assert.strictEqual(yield* tagOf(createMessage.pipe(UsageBudget.withBudget(budget))), "UsageBudgetExceededError")
      assert.strictEqual((yield* budget.level).spent, 26)
    }).pipe((test) => using(test, always().pipe(ClaudeLayer.withDeadline("1 minute")))))

  it.effect("what a budget refused is no attempt to telemetry, and one failure of a call", () =>
    Effect.gen(function*() {
      const ended: Array<unknown> = []
      yield* Effect.forkScoped(
        Stream.runForEach(
          ClaudeEvents.stream,
          ({ event }) =>
            Effect.sync(() => event._tag === "CallEnded" || event._tag === "AttemptFailed" ? ended.push(event) : 0)
        ),
        { startImmediately: true }
      )
      for (const [, call] of operations) yield* Effect.flip(call.pipe(UsageBudget.withBudget(budgetOf(0))))
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        ended,
        [1, 2].map(() => ({
          _tag: "CallEnded",
          outcome: "failure",
          duration: Duration.millis(0),
          attempts: 0,
          error: "UsageBudgetExceededError"
        }))
      )
    }).pipe(
      Effect.scoped,
      (test) =>
        using(test, script().pipe(ClaudeLayer.standard({ usage: {} }), Layer.provideMerge(ClaudeEvents.layer())))
    ))

  it.effect("what a budget refused gives the rate limiter back what it took, and the circuit its probe", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const { circuitBreaker, rateLimiter } = ClaudeLayer.controls(claude)
      yield* createMessage
      const levels = rateLimiter?.levels(request.model) ?? Effect.die("no limiter")
      const before = yield* levels
      yield* Effect.flip(createMessage.pipe(UsageBudget.withBudget(budgetOf(0))))
      assert.deepStrictEqual(yield* levels, before)
      assert.strictEqual((yield* circuitBreaker?.state(request.model) ?? Effect.die("none"))._tag, "Closed")
    }).pipe((test) =>
      using(
        test,
        always().pipe(
          ClaudeLayer.withRateLimiter({
            limits: { requests: 10_000, inputTokens: 1_000_000, outputTokens: 1_000_000 }
          }),
          ClaudeLayer.withCircuitBreaker({ failures: 1 }),
          ClaudeLayer.withUsageLedger()
        )
      )
    ))
})

describe("what may not get past a budget", () => {
  const send = (fields: object) =>
    Effect.asVoid(Effect.flatMap(ClaudeService, (claude) => claude.createMessage({ ...request, ...fields })))
  const haiku = { model: "claude-haiku-5-5", max_tokens: 100 }
  const dearer = "claude-fable-5-2"

  const refusedFor = (model: string, fields: object, budget: UsageBudget.UsageBudget) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(send(fields).pipe(UsageBudget.withBudget(budget)))
      assert.deepInclude(error, { _tag: "UsageBudgetExceededError", model })
      assert.strictEqual(yield* sent, 0)
      assert.strictEqual((yield* budget.level).reserved, 0)
    })

  // What 106 tokens of Haiku cost is a fortieth of what Fable takes for them.
  const enoughForHaiku = () => UsageBudget.makeUnsafe({ limit: { usd: 0.0001 } })

  it.effect("a dearer model that the API asks by itself, named by the request", () =>
    refusedFor(haiku.model, { ...haiku, fallbacks: [{ model: dearer }] }, enoughForHaiku()).pipe((test) =>
      using(test, always().pipe(ClaudeLayer.withUsageLedger()))
    ))

  for (const fallbacks of [[dearer], "default"] as const) {
    it.effect(`a dearer model that the API asks by itself, by the layer's ${String(fallbacks)}`, () =>
      refusedFor(haiku.model, haiku, enoughForHaiku()).pipe((test) =>
        using(test, always().pipe(ClaudeLayer.withServerFallbacks(fallbacks), ClaudeLayer.withUsageLedger()))
      ))
  }

  it.effect("a model without a price that the API asks by itself", () =>
    refusedFor("claude-mythos-5-2", haiku, UsageBudget.makeUnsafe({ limit: { usd: 100 } })).pipe((test) =>
      using(test, always().pipe(ClaudeLayer.withServerFallbacks(["claude-mythos-5-2"]), ClaudeLayer.withUsageLedger()))
    ))

  it.effect("a longer answer of a model that the API asks by itself", () =>
    refusedFor(haiku.model, { ...haiku, fallbacks: [{ model: dearer, max_tokens: 500 }] }, budgetOf(400)).pipe((test) =>
      using(test, always().pipe(ClaudeLayer.withUsageLedger()))
    ))

  it.effect("without those it does", () =>
    send(haiku).pipe(
      UsageBudget.withBudget(enoughForHaiku()),
      (test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))
    ))

  const estimates: ReadonlyArray<readonly [string, () => number]> = [
    ["is no number", () => Number.NaN],
    ["fails", () => {
      throw new Error("no tokenizer")
    }]
  ]
  for (const [what, estimate] of estimates) {
    it.effect(`an estimate that ${what}`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(reserved)
        assert.strictEqual(yield* tagOf(createMessage.pipe(UsageBudget.withBudget(budget))), "ok")
        assert.deepStrictEqual(yield* budget.level, { spent: 26, reserved: 0, remaining: 80 })
        assert.strictEqual(
          yield* tagOf(createMessage.pipe(UsageBudget.withBudget(budget))),
          "UsageBudgetExceededError"
        )
      }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger({ estimate })))))
  }

  for (const status of [500, 502, 504, 520]) {
    const fault = Fault.of(SdkFailure.fromAnswer({ status, body: "<html><title>Bad gateway</title></html>" }))
    for (const [name, call] of operations) {
      it.effect(`${name}: a ${status} of a gateway, behind which it may have been answered`, () =>
        Effect.gen(function*() {
          const budget = budgetOf(1000)
          assert.isTrue(Result.isFailure(yield* Effect.result(call.pipe(UsageBudget.withBudget(budget)))))
          assert.deepStrictEqual(yield* budget.level, { spent: reserved, reserved: 0, remaining: 1000 - reserved })
          assert.deepInclude(yield* totals, { attempts: 1, estimated: 1 })
        }).pipe((test) => using(test, script(fault).pipe(ClaudeLayer.withUsageLedger()))))
    }
  }

  const saidNo = [
    ["a 500 of the API", Fault.internalServer()],
    ["a 504 of the API", Fault.gatewayTimeout()],
    ["a 503 of a gateway", Fault.of(SdkFailure.fromAnswer({ status: 503, body: "<html>" }))]
  ] as const
  for (const [what, fault] of saidNo) {
    it.effect(`${what} is none of that: it costs nothing`, () =>
      Effect.gen(function*() {
        const budget = budgetOf(1000)
        yield* Effect.result(createMessage.pipe(UsageBudget.withBudget(budget)))
        assert.deepStrictEqual(yield* budget.level, { spent: 0, reserved: 0, remaining: 1000 })
      }).pipe((test) => using(test, script(fault).pipe(ClaudeLayer.withUsageLedger()))))
  }

  for (const limit of [{ usd: 1 }, { tokens: 1000 }]) {
    it.effect(`a request without a model is refused for that, and holds nothing (${Object.keys(limit)[0]})`, () =>
      Effect.gen(function*() {
        const budget = UsageBudget.makeUnsafe({ limit })
        const tag = yield* tagOf(send({ model: undefined }).pipe(UsageBudget.withBudget(budget)))
        assert.strictEqual(tag, "usd" in limit ? "UsageBudgetExceededError" : "InvalidRequestError")
        assert.strictEqual((yield* budget.level).reserved, 0)
      }).pipe((test) => using(test, always().pipe(ClaudeLayer.withUsageLedger()))))
  }
})

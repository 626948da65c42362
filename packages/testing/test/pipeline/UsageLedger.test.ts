import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { createMessage, request, runFor, streamEvents, using } from "./support.ts"
import { entriesOf, ledger, shown, totals } from "./usageSupport.ts"

const script = (...steps: ReadonlyArray<ClaudeTest.Step>) => ClaudeTest.script(steps)

const usage = { input_tokens: 1000, output_tokens: 200 }
const answer = (text = "hi") => Reply.text(text, { usage })

const tokens = (inputTokens: number, outputTokens: number) => ({ ...TokenUsage.zero, inputTokens, outputTokens })

const retries = ClaudeLayer.withRetry(Schedule.recurs(3))

/** Runs a call under virtual time and shows what was booked of it. */
const booked = <A, R>(call: Effect.Effect<A, never, R>) =>
  Effect.scoped(Effect.map(entriesOf(call), ({ entries }) => entries))

const during = <E, R>(call: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.exit(call))
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  })

describe("an entry for each request that was sent", () => {
  it.effect("a call that is answered at once", () =>
    Effect.gen(function*() {
      const entries = yield* booked(Effect.orDie(createMessage))
      assert.deepStrictEqual(entries.map(({ callId: _, ...entry }) => entry), [{
        at: 0,
        key: "default",
        model: "claude-sonnet-5-5",
        attempt: 1,
        hedge: 0,
        reason: "first",
        outcome: "answered",
        usage: tokens(1000, 200),
        cost: 0.004,
        isEstimated: false,
        error: undefined
      }])
    }).pipe((test) => using(test, script(answer()).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("a stream, with the numbers of its first and its last event", () =>
    Effect.gen(function*() {
      const [entry] = yield* booked(Effect.orDie(streamEvents))
      assert.deepStrictEqual([entry?.outcome, entry?.usage, entry?.isEstimated], ["answered", tokens(1000, 200), false])
    }).pipe((test) => using(test, script(answer()).pipe(ClaudeLayer.withUsageLedger()))))

  // A stream falls back from a refusal only before any content, and that is not billed.
  const kinds: ReadonlyArray<{
    readonly name: string
    readonly call: Effect.Effect<void, ClaudeError, ClaudeService>
    readonly refusal: Parameters<typeof Reply.text>[1]
    readonly refused: number
  }> = [
    {
      name: "a message",
      call: Effect.asVoid(createMessage),
      refusal: { stop_reason: "refusal", usage },
      refused: 0.004
    },
    {
      name: "a stream",
      call: Effect.asVoid(streamEvents),
      refusal: { stop_reason: "refusal", usage, content: [] },
      refused: 0
    }
  ]
  for (const { call, name, refusal, refused } of kinds) {
    it.effect(`${name} that is retried: what failed with an error of the API has used nothing`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "failed", "OverloadedError"],
          ["retry", "failed", "InternalServerError", "attempt 2"],
          ["retry", "answered", "attempt 3"]
        ])
        assert.deepStrictEqual(entries.map(({ usage }) => usage.inputTokens), [0, 0, 1000])
        assert.strictEqual(new Set(entries.map(({ callId }) => callId)).size, 1)
      }).pipe((test) =>
        using(
          test,
          script(Fault.overloaded(), Fault.internalServer(), answer()).pipe(retries, ClaudeLayer.withUsageLedger())
        )
      ))

    it.effect(`${name} that falls back, and fails there first`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "failed", "OverloadedError"],
          ["retry", "failed", "OverloadedError", "attempt 2"],
          ["fallback", "failed", "OverloadedError", "claude-haiku-5-5"],
          ["retry", "answered", "attempt 2", "claude-haiku-5-5"]
        ])
        const { byModel } = yield* Effect.flatMap(ledger, ({ snapshot }) => snapshot)
        assert.deepStrictEqual([...byModel].map(([model, { attempts, calls }]) => [model, calls, attempts]), [
          ["claude-sonnet-5-5", 1, 2],
          ["claude-haiku-5-5", 1, 2]
        ])
      }).pipe((test) =>
        using(
          test,
          script(Fault.overloaded(), Fault.overloaded(), Fault.overloaded(), answer()).pipe(
            ClaudeLayer.withRetry(Schedule.recurs(1)),
            ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} that is hedged: the loser is booked as lost`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "lost", "estimated"],
          ["hedge", "answered", "hedge 1"]
        ])
        assert.isAbove(entries[0]?.usage.inputTokens ?? 0, 0)
        const { wastedShare } = yield* totals
        assert.isAbove(wastedShare, 0)
        assert.isBelow(wastedShare, 1)
      }).pipe((test) =>
        using(
          test,
          script(Fault.hang(), answer()).pipe(
            ClaudeLayer.withHedge({ delay: "1 second" }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} whose first request wins: the hedge is lost`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "answered"],
          ["hedge", "lost", "hedge 1", "estimated"]
        ])
      }).pipe((test) =>
        using(
          test,
          script(answer().pipe(ClaudeTest.delayed("2 seconds")), Fault.hang()).pipe(
            ClaudeLayer.withHedge({ delay: "1 second" }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} that times out: nobody told what it used`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "failed", "AttemptTimeoutError", "estimated"],
          ["retry", "answered", "attempt 2"]
        ])
        assert.strictEqual((yield* totals).estimated, 1)
      }).pipe((test) =>
        using(
          test,
          script(Fault.hang(), answer()).pipe(
            ClaudeLayer.withAttemptTimeout({ attempt: "5 seconds" }),
            retries,
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} that runs into a deadline, which is inside of the ledger`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [["first", "interrupted", "estimated"]])
        assert.strictEqual((yield* totals).wastedShare, 1)
      }).pipe((test) =>
        using(test, script(Fault.hang()).pipe(ClaudeLayer.withDeadline("5 seconds"), ClaudeLayer.withUsageLedger()))
      ))

    it.effect(`${name} whose caller leaves`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Effect.exit(call))
          yield* TestClock.adjust("1 second")
          yield* Fiber.interrupt(fiber)
        }))
        assert.deepStrictEqual(entries.map(shown), [["first", "interrupted", "estimated"]])
      }).pipe((test) => using(test, script(Fault.hang()).pipe(ClaudeLayer.withUsageLedger()))))

    it.effect(`${name} that is refused there and answered elsewhere: the refusal is discarded`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "discarded"],
          ["fallback", "answered", "claude-opus-5-5"]
        ])
        assert.strictEqual(entries[0]?.cost, refused)
      }).pipe((test) =>
        using(
          test,
          script(Reply.text("No", refusal), answer()).pipe(
            ClaudeLayer.withFallback({ refusal: { models: ["claude-opus-5-5"] } }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} that everybody refuses is answered with the last refusal`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "discarded"],
          ["fallback", "answered", "claude-opus-5-5"]
        ])
      }).pipe((test) =>
        using(
          test,
          script(
            Reply.text("No", { id: "msg_1", ...refusal }),
            Reply.text("No", { id: "msg_2", ...refusal })
          ).pipe(
            ClaudeLayer.withFallback({ refusal: { models: ["claude-opus-5-5"] } }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))

    it.effect(`${name} that is refused and answered by the program: nothing that was sent gave the answer`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [["first", "discarded"]])
      }).pipe((test) =>
        using(
          test,
          script(Reply.text("No", refusal)).pipe(
            ClaudeLayer.withFallback({ refusal: { answer: () => "Ask me something else" } }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))
  }

  const broken = Fault.cutStream({ afterEvents: 5, reply: Reply.text("Once upon a time there was", { usage }) })
  const rest = Reply.text(" a ledger.", { usage })
  const recoveries: ReadonlyArray<{
    readonly name: string
    readonly mode: ClaudeLayer.RecoveryMode
    readonly expected: Array<ReadonlyArray<unknown>>
  }> = [
    {
      name: "continued: all parts gave the answer",
      mode: "continue",
      expected: [
        ["first", "answered", "StreamInterruptedError", "estimated"],
        ["continuation", "answered", "StreamInterruptedError", "estimated"],
        ["continuation", "answered"]
      ]
    },
    {
      name: "made anew: only the last one gave the answer",
      mode: "restart",
      expected: [
        ["first", "failed", "StreamInterruptedError", "estimated"],
        ["retry", "failed", "StreamInterruptedError", "estimated"],
        ["retry", "answered"]
      ]
    },
    {
      name: "given up",
      mode: "surface",
      expected: [["first", "failed", "StreamInterruptedError", "estimated"]]
    }
  ]
  for (const { expected, mode, name } of recoveries) {
    it.effect(`a stream that breaks off twice, and is ${name}`, () =>
      Effect.gen(function*() {
        const outer = yield* UsageLedger.make()
        const entries = yield* booked(during(streamEvents.pipe(UsageLedger.withLedger(outer))))
        assert.deepStrictEqual(entries.map(shown), expected)
        const { attempts, calls, wastedShare } = yield* totals
        assert.deepInclude(yield* outer.totals, { calls, attempts, wastedShare })
        assert.strictEqual(calls, 1)
        assert.strictEqual(wastedShare === 0, mode === "continue")
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script(mode === "surface" ? [broken] : [broken, broken, rest]).pipe(
            ClaudeLayer.withStreamRecovery({ mode }),
            ClaudeLayer.withUsageLedger()
          )
        )
      ))
  }

  it.effect("a stream that is continued and then given up gave no answer", () =>
    Effect.gen(function*() {
      const entries = yield* booked(during(streamEvents))
      assert.deepStrictEqual(entries.map(({ outcome, reason }) => [reason, outcome]), [
        ["first", "failed"],
        ["continuation", "failed"]
      ])
    }).pipe((test) =>
      using(
        test,
        script(broken, broken).pipe(
          ClaudeLayer.withStreamRecovery({ maxRecoveries: 1 }),
          ClaudeLayer.withUsageLedger()
        )
      )
    ))

  it.effect("a stream that is whole but for its last event gave the answer", () =>
    Effect.gen(function*() {
      const entries = yield* booked(during(streamEvents))
      assert.deepStrictEqual(entries.map(shown), [["first", "answered", "StreamInterruptedError", "estimated"]])
      // All has been told, though.
      assert.deepStrictEqual(entries[0]?.usage, tokens(1000, 200))
    }).pipe((test) => {
      const reply = Reply.text("Hello", { usage })
      return using(
        test,
        script(Fault.cutStream({ afterEvents: 5, reply })).pipe(
          ClaudeLayer.withStreamRecovery(),
          ClaudeLayer.withUsageLedger()
        )
      )
    }))

  for (const { call, name } of kinds) {
    it.effect(`${name} whose turn is paused: all turns gave the answer`, () =>
      Effect.gen(function*() {
        const entries = yield* booked(during(call))
        assert.deepStrictEqual(entries.map(shown), [
          ["first", "answered"],
          ["continuation", "answered"],
          ["continuation", "answered"]
        ])
        assert.deepInclude(yield* totals, { calls: 1, cost: 0.012 })
      }).pipe((test) => {
        const paused = Reply.text("wait", { stop_reason: "pause_turn", usage })
        return using(
          test,
          script(paused, paused, answer()).pipe(ClaudeLayer.withCompleteAnswers(), ClaudeLayer.withUsageLedger())
        )
      }))

    it.effect(`${name} that the API had another model answer: at the price of that one`, () =>
      Effect.gen(function*() {
        const [entry] = yield* booked(during(call))
        assert.deepInclude(entry, { model: "claude-opus-5-5", cost: 0.008, outcome: "answered" })
      }).pipe((test) => {
        const iterations = [{ type: "fallback_message", model: "claude-opus-5-5", ...usage }]
        return using(
          test,
          script(Reply.text("hi", { usage: Object.assign({ iterations }, usage) })).pipe(ClaudeLayer.withUsageLedger())
        )
      }))
  }

  it.effect("a refusal before any content is not billed", () =>
    Effect.gen(function*() {
      const entries = yield* booked(Effect.andThen(Effect.orDie(createMessage), Effect.orDie(streamEvents)))
      assert.deepStrictEqual(entries.map(({ cost, usage }) => [usage, cost]), [
        [TokenUsage.zero, 0],
        [TokenUsage.zero, 0]
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], {
          after: Reply.text("", {
            content: [],
            stop_reason: "refusal",
            usage: { input_tokens: 1000, output_tokens: 1 }
          })
        }).pipe(ClaudeLayer.withUsageLedger())
      )
    ))

  it.effect("a stream that is cut: the input that it told, and the output that had come", () =>
    Effect.gen(function*() {
      const entries = yield* booked(during(streamEvents))
      assert.deepStrictEqual(entries.map(shown), [["first", "failed", "StreamInterruptedError", "estimated"]])
      const used = entries[0]?.usage
      assert.strictEqual(used?.inputTokens, 1000)
      // Three pieces of eight letters, at 3.3 letters a token.
      assert.strictEqual(used?.outputTokens, 8)
    }).pipe((test) =>
      using(
        test,
        script(Fault.cutStream({ afterEvents: 5, reply: Reply.text("a".repeat(400), { usage }) })).pipe(
          ClaudeLayer.withUsageLedger()
        )
      )
    ))

  it.effect("a stream whose reader has enough before the end, or at it", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const stream = claude.streamMessage(request)
      const entries = yield* booked(Effect.orDie(Effect.gen(function*() {
        yield* Stream.runDrain(Stream.take(stream, 4))
        yield* Stream.runDrain(Stream.takeUntil(stream, ({ type }) => type === "message_stop"))
      })))
      assert.deepStrictEqual(entries.map(shown), [["first", "interrupted", "estimated"], ["first", "answered"]])
    }).pipe((test) => using(test, script(answer(), answer()).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("nothing for what a policy turned away, or a cache answered, or token counts", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* createMessage
      yield* createMessage
      yield* claude.countTokens({ model: request.model, messages: request.messages })
      yield* ClaudeLayer.controls(claude).circuitBreaker?.isolate("claude-opus-5-5") ?? Effect.void
      yield* Effect.flip(claude.createMessage({ ...request, model: "claude-opus-5-5" }))
      assert.deepInclude(yield* totals, { calls: 1, attempts: 1 })
    }).pipe((test) =>
      using(
        test,
        script(answer(), Reply.text("count")).pipe(
          ClaudeLayer.withCircuitBreaker(),
          ClaudeLayer.withCache({ freshFor: "1 hour" }),
          ClaudeLayer.withUsageLedger()
        )
      )
    ))

  it.effect("in standard(), where it is asked for", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* booked(during(createMessage))).map(shown), [
        ["first", "failed", "OverloadedError"],
        ["retry", "answered", "attempt 2"]
      ])
      const described = yield* ClaudeLayer.describe
      assert.deepStrictEqual(described.slice(0, 2).map(({ policy }) => policy), ["telemetry", "usage"])
      assert.deepStrictEqual(described[1]?.options, { budget: { call: { limit: { usd: 1 } } } })
    }).pipe((test) =>
      using(
        test,
        script(Fault.overloaded(), answer()).pipe(
          ClaudeLayer.standard({ usage: { budget: { call: { limit: { usd: 1 } } } } })
        )
      )
    ))
})

describe("sums", () => {
  it.effect("by key: of the region, else of the request", () =>
    Effect.gen(function*() {
      yield* createMessage
      yield* createMessage.pipe(UsageLedger.withKey("one"))
      yield* streamEvents.pipe(UsageLedger.withKey("two"), UsageLedger.withKey("not this"))
      const { byKey, totals } = yield* Effect.flatMap(ledger, ({ snapshot }) => snapshot)
      assert.deepStrictEqual([...byKey].map(([key, { cost }]) => [key, cost]), [
        ["from claude-sonnet-5-5", 0.004],
        ["one", 0.004],
        ["two", 0.004]
      ])
      assert.strictEqual(totals.cost, 0.012)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: answer() }).pipe(
          ClaudeLayer.withUsageLedger({ key: ({ model }) => `from ${model}` })
        )
      )
    ))

  it.effect("by region, also within each other", () =>
    Effect.gen(function*() {
      const outer = yield* UsageLedger.make()
      const inner = yield* UsageLedger.make()
      yield* Effect.gen(function*() {
        yield* createMessage
        yield* createMessage.pipe(UsageLedger.withLedger(inner), UsageLedger.withLedger(outer))
      }).pipe(UsageLedger.withLedger(outer))
      assert.strictEqual((yield* outer.totals).calls, 2)
      assert.strictEqual((yield* inner.totals).calls, 1)
      assert.strictEqual((yield* totals).calls, 2)
    }).pipe((test) => using(test, ClaudeTest.script([], { after: answer() }).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("a region without a ledger's layer counts each request as a call", () =>
    Effect.gen(function*() {
      const region = yield* UsageLedger.make()
      yield* during(createMessage.pipe(UsageLedger.withLedger(region)))
      yield* during(streamEvents.pipe(UsageLedger.withLedger(region)))
      assert.deepInclude(yield* region.totals, { calls: 3, attempts: 3, cost: 0.008 })
    }).pipe((test) => using(test, script(Fault.overloaded(), answer(), answer()).pipe(retries))))

  it.effect("keep what an evicted key had", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(["a", "b", "a", "c"], (key) => createMessage.pipe(UsageLedger.withKey(key)))
      const { byKey, totals } = yield* Effect.flatMap(ledger, ({ snapshot }) => snapshot)
      assert.deepStrictEqual([...byKey.keys()], ["a", "c"])
      assert.strictEqual(totals.calls, 4)
    }).pipe((test) =>
      using(test, ClaudeTest.script([], { after: answer() }).pipe(ClaudeLayer.withUsageLedger({ maxKeys: 2 })))
    ))

  it.effect("begin anew with reset, which gives what there was", () =>
    Effect.gen(function*() {
      const { reset, totals } = yield* ledger
      yield* createMessage
      assert.strictEqual((yield* reset).totals.calls, 1)
      assert.deepInclude(yield* totals, { calls: 0, attempts: 0, cost: 0, wastedShare: 0 })
      assert.strictEqual((yield* reset).since, undefined)
    }).pipe((test) => using(test, ClaudeTest.script([], { after: answer() }).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("have no cost where one price is not known, and a share of tokens then", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* createMessage
      yield* claude.createMessage({ ...request, model: "claude-mythos-5-2" })
      const { byModel, totals } = yield* Effect.flatMap(ledger, ({ snapshot }) => snapshot)
      assert.deepInclude(totals, { cost: undefined, wastedCost: undefined, unpriced: 1, wastedShare: 0 })
      assert.strictEqual(byModel.get("claude-sonnet-5-5")?.cost, 0.004)
    }).pipe((test) => using(test, ClaudeTest.script([], { after: answer() }).pipe(ClaudeLayer.withUsageLedger()))))

  it.effect("count with the prices of the layer, cache and all", () =>
    Effect.gen(function*() {
      yield* createMessage
      assert.strictEqual((yield* totals).cost, (1 * 10 + 2 * 20 + 3 * 2 + 3 * 3 + 4 * 1) / 1_000_000)
    }).pipe((test) =>
      using(
        test,
        script(Reply.text("hi", {
          usage: {
            input_tokens: 1,
            output_tokens: 2,
            cache_creation_input_tokens: 6,
            cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 3 },
            cache_read_input_tokens: 4
          }
        })).pipe(ClaudeLayer.withUsageLedger({
          prices: { "claude-sonnet-5-5": { input: 10, output: 20, cacheWrite5m: 2, cacheWrite1h: 3, cacheRead: 1 } }
        }))
      )
    ))

  it.effect("what is booked by hand is a call of its own", () =>
    Effect.gen(function*() {
      const made = yield* UsageLedger.make()
      const entry = yield* made.record({ model: "claude-opus-5-5", usage: tokens(1000, 0), facts: { isBatch: true } })
      assert.strictEqual(entry.cost, 0.002)
      yield* made.record({ model: "claude-opus-5-5", key: "k", usage: tokens(1000, 0), outcome: "failed" })
      assert.deepInclude(yield* made.totals, { calls: 2, cost: 0.006, wastedCost: 0.004 })
    }))
})

describe("ledgers that are shared", () => {
  it.effect("one of the context is used by all layers, and books a call that passes two of them once", () =>
    Effect.gen(function*() {
      yield* createMessage
      const shared = yield* UsageLedger.UsageLedger
      assert.strictEqual(shared, yield* ledger)
      assert.deepInclude(yield* shared.totals, { calls: 1, attempts: 1 })
    }).pipe((test) =>
      using(
        test,
        script(answer()).pipe(
          ClaudeLayer.withUsageLedger(),
          ClaudeLayer.withDeadline("1 minute"),
          ClaudeLayer.withUsageLedger(),
          Layer.provideMerge(UsageLedger.layer())
        )
      )
    ))

  it.effect("two of their own both book what passes them, each as it sees it", () =>
    Effect.gen(function*() {
      const inner = yield* UsageLedger.make()
      const outer = yield* UsageLedger.make()
      const Claude = script(Fault.overloaded(), answer()).pipe(
        ClaudeLayer.withUsageLedger({ ledger: inner, key: () => "inner" }),
        ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
        ClaudeLayer.withUsageLedger({ ledger: outer, key: () => "outer" })
      )
      yield* using(createMessage, Claude)
      assert.deepInclude(yield* outer.totals, { calls: 1, attempts: 2 })
      assert.deepInclude(yield* inner.totals, { calls: 2, attempts: 2 })
      assert.deepStrictEqual([...(yield* outer.snapshot).byKey.keys()], ["outer"])
      assert.deepStrictEqual([...(yield* inner.snapshot).byKey.keys()], ["inner"])
    }))

  it.effect("another service behind a fallback is booked with the call", () =>
    Effect.gen(function*() {
      const entries = yield* booked(during(createMessage))
      assert.deepStrictEqual(entries.map(shown), [
        ["first", "failed", "OverloadedError"],
        ["fallback", "answered"]
      ])
    }).pipe((test) =>
      using(
        test,
        script(Fault.overloaded()).pipe(
          ClaudeLayer.withFallback({ targets: [{ name: "elsewhere", layer: script(answer()) }] }),
          ClaudeLayer.withUsageLedger()
        )
      )
    ))

  it.effect("a reader that is behind misses the oldest, and holds nobody up", () =>
    Effect.gen(function*() {
      const made = yield* UsageLedger.make()
      const pull = yield* Stream.toPull(made.entries)
      const first = yield* Effect.forkChild(pull, { startImmediately: true })
      for (let index = 0; index < 2000; index++) {
        yield* made.record({ model: "claude-opus-5-5", usage: tokens(index, 0) })
      }
      const [one] = yield* Fiber.join(first)
      assert.isDefined(one)
      let seen = 0
      yield* pull.pipe(
        Effect.map((entries) => {
          seen += entries.length
        }),
        Effect.repeat({ until: () => seen >= 1000 })
      )
      assert.isAtMost(seen, 1100)
    }).pipe(Effect.scoped))
})

describe("options and compositions", () => {
  it("refuses wrong ones at once", () => {
    const price = { input: 1, output: 1, cacheWrite5m: 1, cacheWrite1h: 1, cacheRead: 1 }
    assert.throws(() => UsageLedger.makeUnsafe({ maxKeys: 0 }), RangeError, "maxKeys")
    assert.throws(
      () => UsageLedger.makeUnsafe({ prices: { a: { ...price, output: Number.NaN } } }),
      RangeError,
      "prices.a.output"
    )
    assert.throws(() => ClaudeLayer.withUsageLedger({ maxKeys: 0.5 }), RangeError, "maxKeys")
    assert.throws(
      () => ClaudeLayer.withUsageLedger({ prices: { a: { ...price, fast: -1 } } }),
      RangeError,
      "prices.a.fast"
    )
    assert.throws(
      () => ClaudeLayer.withUsageLedger({ budget: { call: { limit: { usd: -1 } } } }),
      RangeError,
      "limit.usd"
    )
  })

  it.effect("refuses to stand inside of what sends several requests for a call", () =>
    Effect.gen(function*() {
      const inside = script().pipe(ClaudeLayer.withUsageLedger())
      const around = [
        retries,
        ClaudeLayer.withHedge(),
        ClaudeLayer.withStreamRecovery(),
        ClaudeLayer.withCompleteAnswers()
      ]
      for (const layer of around.map((policy) => inside.pipe(policy))) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "withUsageLedger")
      }
    }))

  it.effect("says so where nobody would see what is sent", () =>
    Effect.gen(function*() {
      const made = yield* UsageLedger.make()
      const exit = yield* Effect.exit(createMessage.pipe(UsageLedger.withLedger(made)))
      assert.include(String(exit), "put ClaudeLayer.withUsageLedger() around it")
    }).pipe((test) => using(test, ClaudeTest.empty)))

  it.effect("an answer without usage is an estimate", () =>
    Effect.gen(function*() {
      const entries = yield* booked(Effect.andThen(Effect.orDie(createMessage), Effect.orDie(streamEvents)))
      assert.deepStrictEqual(entries.map(shown), [["first", "answered", "estimated"], [
        "first",
        "answered",
        "estimated"
      ]])
      for (const { usage } of entries) assert.isAbove(TokenUsage.total(usage), 0)
    }).pipe((test) => {
      const message = Object.assign({}, Reply.message("hi"), { usage: undefined })
      const events = MessageEvents.fromMessage(Reply.message("hi")).map((event) =>
        event.type === "message_start"
          ? { ...event, message }
          : event.type === "message_delta"
          ? Object.assign({}, event, { usage: undefined })
          : event
      )
      const bare = Layer.succeedContext(Context.make(ClaudeService, {
        createMessage: () => Effect.succeed(message),
        streamMessage: () => Stream.fromIterable(events as never),
        countTokens: () => Effect.succeed({ input_tokens: 1 })
      }))
      return using(test, bare.pipe(ClaudeLayer.withUsageLedger()))
    }))

  it.effect("books under a clock of its own, whenever the call ends", () =>
    Effect.gen(function*() {
      const { millis } = yield* runFor(createMessage, "1 minute")
      assert.strictEqual(millis, 7000)
      const { since } = yield* Effect.flatMap(ledger, ({ snapshot }) => snapshot)
      assert.strictEqual(since, 7000)
    }).pipe((test) =>
      using(test, script(answer().pipe(ClaudeTest.delayed("7 seconds"))).pipe(ClaudeLayer.withUsageLedger()))
    ))
})

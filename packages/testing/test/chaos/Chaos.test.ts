import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeMetrics from "@effect-claude/client/ClaudeMetrics"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Chaos from "@effect-claude/testing/Chaos"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"

const asking = (content: string): MessageRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content }]
})
const request = asking("Hello")

const create = ClaudeService.use((claude) => claude.createMessage(request))
const collect = ClaudeService.use((claude) => Stream.runCollect(claude.streamMessage(request)))
const count = ClaudeService.use((claude) => claude.countTokens({ model: request.model, messages: request.messages }))
const calls = ClaudeTest.ClaudeTest.use((test) => test.calls)

const words = "Hello, how are you today?"
const healthy = ClaudeTest.script([], { after: Reply.text(words) })
const quiet = Logger.layer([Logger.make(() => undefined)])

const under = (injections: ReadonlyArray<Chaos.Injection>, options: Chaos.ChaosOptions = { enabled: true }) =>
  Layer.merge(healthy.pipe(Chaos.withChaos(injections, options)), quiet)

const overload = (options: Partial<Chaos.InjectionOptions> = {}) =>
  Chaos.fault(Fault.overloaded(), { rate: 1, ...options })

const outcome = <A, R>(call: Effect.Effect<A, { readonly _tag: string }, R>) =>
  Effect.match(call, { onFailure: ({ _tag }) => _tag, onSuccess: () => "ok" })

/** How many milliseconds of virtual time a call takes that ends within an hour. */
const timed = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.forkChild(Effect.andThen(Effect.exit(call), Clock.currentTimeMillis))
    yield* TestClock.adjust("1 hour")
    return (yield* Fiber.join(fiber)) - start
  })

describe("faults", () => {
  it.effect("fail a call of each method before it is sent, as the client would", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(create), Effect.asVoid(collect), Effect.asVoid(count)]) {
        const error = yield* Effect.flip(call)
        assert(error._tag === "OverloadedError")
        assert.strictEqual(error.status, 529)
        assert.strictEqual(error.model, request.model)
        assert.strictEqual(error.attempt, 1)
        assert.match(error.requestId ?? "", /^req_chaos_[0-9a-f]{16}$/)
        assert.deepStrictEqual(error.verdict, { _tag: "Retry", kind: "overloaded", after: undefined })
      }
      assert.deepStrictEqual(yield* calls, [])
    }).pipe(Effect.provide(under([overload()]))))

  it.effect("there is one for every tag", () =>
    Effect.gen(function*() {
      for (const [tag, fault] of Object.entries(Fault.byTag)) {
        const layer = under([Chaos.fault(fault(), { rate: 1 })])
        assert.strictEqual(yield* outcome(Effect.provide(create, layer, { local: true })), tag)
      }
    }))

  it.effect("an error is passed on as it is", () =>
    Effect.gen(function*() {
      const stated = yield* Effect.flip(Effect.provide(create, under([overload()]), { local: true }))
      const layer = under([Chaos.fault(stated, { rate: 1 })])
      assert.strictEqual(yield* Effect.flip(Effect.provide(create, layer, { local: true })), stated)
    }))

  it.effect("a retry around counts attempts, and its own limits hold for one that hangs", () =>
    Effect.gen(function*() {
      const hanging = Chaos.fault(Fault.hang(), { rate: 1 })
      const layer = under([hanging]).pipe(
        ClaudeLayer.withAttemptTimeout({ headers: "5 seconds" }),
        ClaudeLayer.withRetry(Schedule.recurs(1))
      )
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(create, layer)))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(fiber)
      assert(error._tag === "AttemptTimeoutError")
      assert.strictEqual(error.phase, "headers")
      assert.strictEqual(error.attempt, 2)
    }))

  it.effect("an interrupt ends a call that hangs", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(create)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(under([Chaos.fault(Fault.hang(), { rate: 1 })]))))

  it.effect("the first one ends the call, and what stands before it happens", () =>
    Effect.gen(function*() {
      const millis = yield* timed(create)
      assert.strictEqual(millis, 3_000)
      const fiber = yield* Effect.forkChild(outcome(create))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "BillingError")
    }).pipe(Effect.provide(under([
      Chaos.latency("1 second", { rate: 1 }),
      Chaos.fault(Fault.billing().pipe(ClaudeTest.delayed("2 seconds")), { rate: 1 }),
      Chaos.latency("1 minute", { rate: 1 }),
      overload()
    ]))))
})

describe("latency", () => {
  it.effect("passes before the headers and adds up", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(create), Effect.asVoid(collect), Effect.asVoid(count)]) {
        assert.strictEqual(yield* timed(call), 3_000)
      }
    }).pipe(
      Effect.provide(under([Chaos.latency("1 second", { rate: 1 }), Chaos.latency("2 seconds", { rate: 1 })]))
    ))

  it.effect("counts against the limit for headers, and the client has what is left", () =>
    Effect.gen(function*() {
      const slow = ClaudeTest.script([], { after: Reply.text(words).pipe(ClaudeTest.delayed("7 seconds")) })
      const layer = Layer.merge(
        slow.pipe(
          Chaos.withChaos([Chaos.latency("4 seconds", { rate: 1 })], { enabled: true }),
          ClaudeLayer.withAttemptTimeout({ headers: "10 seconds" })
        ),
        quiet
      )
      for (const call of [Effect.asVoid(create), Effect.asVoid(collect)]) {
        assert.strictEqual(yield* timed(Effect.provide(call, layer, { local: true })), 10_000)
      }
    }))

  it.effect("passes before each event of a stream, and of nothing else", () =>
    Effect.gen(function*() {
      const events = yield* Effect.provide(collect, healthy, { local: true })
      assert.strictEqual(yield* timed(collect), events.length * 100)
      assert.strictEqual(yield* timed(create), 0)
      assert.strictEqual(yield* timed(count), 0)
    }).pipe(Effect.provide(under([Chaos.latency("100 millis", { rate: 1, at: "events" })]))))

  it.effect("a silence between events is seen by the timeout for idle streams", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.flip(collect))
      yield* TestClock.adjust("1 hour")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "AttemptTimeoutError" && error.phase, "idle")
    }).pipe(Effect.provide(
      under([Chaos.latency("1 minute", { rate: 1, at: "events" })]).pipe(
        ClaudeLayer.withAttemptTimeout({ idle: "10 seconds" })
      )
    )))

  it.effect("a range: each call draws its own, the same for the same seed", () =>
    Effect.gen(function*() {
      const run = (seed: string) => {
        const layer = under([Chaos.latency({ min: "1 second", max: "2 seconds" }, { rate: 1 })], {
          enabled: true,
          seed
        })
        return Effect.provide(Effect.all([timed(create), timed(create), timed(create)]), layer, { local: true })
      }
      const first = yield* run("a")
      assert.strictEqual(new Set(first).size, 3)
      for (const millis of first) assert.isTrue(millis >= 1_000 && millis <= 2_000)
      assert.deepStrictEqual(yield* run("a"), first)
      assert.notDeepEqual(yield* run("b"), first)
    }))
})

describe("outcomes", () => {
  const run = <A, E>(call: Effect.Effect<A, E, ClaudeService | ClaudeTest.ClaudeTest>, injection: Chaos.Injection) =>
    Effect.provide(
      Effect.flatMap(Effect.result(call), (result) => Effect.map(calls, (sent) => ({ result, sent: sent.length }))),
      under([injection]),
      { local: true }
    )

  it.effect("another answer in the place of the real one, streamed too", () =>
    Effect.gen(function*() {
      const shout = Chaos.outcome(
        (message) => ({ ...message, content: Reply.message(`${message.content.length}!`).content }),
        { rate: 1 }
      )
      const message = yield* Effect.provide(create, under([shout]), { local: true })
      assert.deepStrictEqual(message.content, Reply.message("1!").content)
      const streamed = ClaudeService.use((claude) => MessageEvents.message(claude.streamMessage(request)))
      assert.deepStrictEqual(
        (yield* Effect.provide(streamed, under([shout]), { local: true }))?.content,
        Reply.message("1!").content
      )
    }))

  for (
    const [name, injection, stopReason] of [
      ["refusal", Chaos.refusal({ rate: 1 }), "refusal"],
      ["refusal in the middle", Chaos.refusal({ rate: 1, afterEvents: 4 }), "refusal"],
      ["truncation", Chaos.truncatedOutput({ rate: 1, afterEvents: 4 }), "max_tokens"],
      ["truncation of an answer that is shorter", Chaos.truncatedOutput({ rate: 1, afterEvents: 500 }), "max_tokens"]
    ] as const
  ) {
    it.effect(`${name}: a well-formed answer, the same whether it is streamed`, () =>
      Effect.gen(function*() {
        const message = yield* Effect.provide(create, under([injection]), { local: true })
        assert.strictEqual(message.stop_reason, stopReason)
        const events = yield* Effect.provide(collect, under([injection]), { local: true })
        const joined = yield* MessageEvents.message(Stream.fromIterable(events))
        assert.deepStrictEqual(
          { content: joined?.content, reason: joined?.stop_reason, usage: joined?.usage.output_tokens },
          { content: message.content, reason: message.stop_reason, usage: message.usage.output_tokens }
        )
        assert.strictEqual(events.at(-1)?.type, "message_stop")
        assert.strictEqual(events.filter(({ type }) => type === "message_stop").length, 1)
        const starts = events.filter(({ type }) => type === "content_block_start").length
        assert.strictEqual(events.filter(({ type }) => type === "content_block_stop").length, starts)
      }))
  }

  it.effect("what was refused before a word has no content, and a policy takes it for a refusal", () =>
    Effect.gen(function*() {
      const layer = under([Chaos.refusal({ rate: 1 })]).pipe(ClaudeLayer.withCompleteAnswers())
      const error = yield* Effect.flip(Effect.provide(create, layer))
      assert.strictEqual(error._tag, "RefusalError")
      assert.deepStrictEqual(error.partial?.message?.content, [])
    }))

  it.effect("the input of a tool is cut in the middle", () =>
    Effect.gen(function*() {
      const tool = ClaudeTest.script([], { after: Reply.tool("rm", { path: "/tmp/cache", recursive: true }) })
      const layer = tool.pipe(Chaos.withChaos([Chaos.truncatedOutput({ rate: 1 })], { enabled: true }))
      const message = yield* Effect.provide(create, Layer.merge(layer, quiet))
      assert.strictEqual(message.stop_reason, "max_tokens")
      const [block] = message.content
      assert(block?.type === "tool_use")
      assert.strictEqual(block.input, `{"path":`)
    }))

  it.effect("a cut, an early end, an event with an error, an invalid event: after n events, with what had arrived", () =>
    Effect.gen(function*() {
      const rows = [
        [Chaos.cutStream({ rate: 1, afterEvents: 4 }), "StreamInterruptedError", "ConnectionError"],
        [Chaos.endWithoutStop({ rate: 1, afterEvents: 4 }), "StreamInterruptedError", "InvalidResponseError"],
        [Chaos.midStream(Fault.overloaded(), { rate: 1, afterEvents: 4 }), "OverloadedError", "OverloadedError"],
        [Chaos.invalidResponse({ rate: 1, afterEvents: 4 }), "InvalidResponseError", "InvalidResponseError"]
      ] as const
      for (const [injection, streamed, whole] of rows) {
        const stream = yield* run(collect, injection)
        assert(stream.result._tag === "Failure")
        assert.strictEqual(stream.result.failure._tag, streamed)
        assert.strictEqual(stream.result.failure.partial?.events, 4)
        assert.strictEqual(stream.result.failure.partial?.text, words.slice(0, 16))
        // The request was sent, so the failure bears its id.
        assert.strictEqual(stream.result.failure.requestId, "req_test_1")
        assert.strictEqual(stream.sent, 1)
        const message = yield* run(create, injection)
        assert(message.result._tag === "Failure")
        assert.strictEqual(message.result.failure._tag, whole)
        assert.strictEqual(message.sent, 1)
        const counted = yield* run(count, injection)
        assert(counted.result._tag === "Failure")
        assert.strictEqual(counted.result.failure._tag, whole)
      }
    }))

  it.effect("what has come whole is whole: after its last event nothing breaks it", () =>
    Effect.gen(function*() {
      const healthyEvents = yield* Effect.provide(collect, healthy, { local: true })
      const total = healthyEvents.filter((event) => !MessageEvents.isPing(event)).length
      const cut = (afterEvents: number) =>
        outcome(Effect.provide(
          collect,
          under([Chaos.cutStream({ rate: 1, afterEvents })]),
          { local: true }
        ))
      assert.deepStrictEqual(
        [yield* cut(0), yield* cut(total - 1), yield* cut(total), yield* cut(total + 10)],
        ["StreamInterruptedError", "StreamInterruptedError", "ok", "ok"]
      )
      // Without message_stop alone a client takes an answer for whole.
      const ending = (afterEvents: number) =>
        outcome(Effect.provide(
          collect,
          under([Chaos.endWithoutStop({ rate: 1, afterEvents })]),
          { local: true }
        ))
      assert.deepStrictEqual(
        [yield* ending(0), yield* ending(total - 2), yield* ending(total - 1)],
        ["InvalidResponseError", "StreamInterruptedError", "ok"]
      )
    }))

  it.effect("a silence lasts until somebody gives up", () =>
    Effect.gen(function*() {
      for (const call of [Effect.asVoid(create), Effect.asVoid(collect)]) {
        const fiber = yield* Effect.forkChild(call)
        yield* TestClock.adjust("1 hour")
        assert.isUndefined(fiber.pollUnsafe())
        yield* Fiber.interrupt(fiber)
      }
      assert.strictEqual((yield* calls).length, 2)
    }).pipe(Effect.provide(under([Chaos.stallStream({ rate: 1 })]))))

  it.effect("a consumer that has enough closes the stream of the client", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      yield* timed(claude.streamMessage(request).pipe(Stream.take(2), Stream.runDrain))
      assert.strictEqual((yield* calls)[0]?.outcome._tag, "Interrupted")
    }).pipe(Effect.provide(
      under([Chaos.latency("1 second", { rate: 1, at: "events" }), Chaos.cutStream({ rate: 1, afterEvents: 4 })])
    )))

  it.effect("several happen one after the other; a count is changed by none", () =>
    Effect.gen(function*() {
      const layer = under([
        Chaos.outcome(() => Reply.message("Something else entirely"), { rate: 1 }),
        Chaos.truncatedOutput({ rate: 1 })
      ])
      const message = yield* Effect.provide(create, layer, { local: true })
      assert.deepStrictEqual(message.content, [{ type: "text", text: "Somethin", citations: null }])
      assert.isAbove((yield* Effect.provide(count, layer, { local: true })).input_tokens, 0)
    }))
})

describe("behaviours", () => {
  class Cache extends Context.Service<Cache, { readonly flushed: Ref.Ref<number> }>()("test/Cache") {}
  const flush = Effect.flatMap(Cache, ({ flushed }) => Ref.update(flushed, (times) => times + 1))
  const cache = Layer.effect(Cache, Effect.map(Ref.make(0), (flushed) => ({ flushed })))

  it.effect("run before the call, with what the layer was built with", () =>
    Effect.gen(function*() {
      yield* create
      yield* collect
      yield* count
      assert.strictEqual(yield* Ref.get((yield* Cache).flushed), 3)
    }).pipe(Effect.provide(
      healthy.pipe(
        Chaos.withChaos([Chaos.behavior(flush, { rate: 1 })], { enabled: true }),
        Layer.provideMerge(cache),
        Layer.merge(quiet)
      )
    )))

  it.effect("see the call, in the context of the call", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const look = Chaos.behavior(
        ({ attempt, method }) =>
          Effect.map(Effect.currentSpan, ({ name }) => seen.push([method, attempt, name])).pipe(Effect.ignore),
        { rate: 1 }
      )
      const layer = under([look, overload()]).pipe(ClaudeLayer.withRetry(Schedule.recurs(1)))
      yield* outcome(create).pipe(Effect.withSpan("outer"), Effect.provide(layer))
      assert.deepStrictEqual(seen, [["createMessage", 1, "outer"], ["createMessage", 2, "outer"]])
    }))
})

describe("rate, seed and predicate", () => {
  const hitsOf = (rate: number, seed: string, contents: ReadonlyArray<string>, concurrency: number) =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const results = yield* Effect.forEach(
        contents,
        (content) =>
          Effect.map(outcome(Effect.andThen(Effect.yieldNow, claude.createMessage(asking(content)))), (result) => [
            content,
            result
          ]),
        { concurrency }
      )
      return results.flatMap(([content, result]) => result === "ok" ? [] : [content])
    }).pipe(Effect.provide(under([overload({ rate })], { enabled: true, seed }), { local: true }))

  const different = Array.from({ length: 1_000 }, (_, index) => `question ${index}`)

  for (const [name, profile] of Object.entries({ brownout: Chaos.brownout, midStreamCuts: Chaos.midStreamCuts })) {
    it.effect(`${name} hits the share of calls that it was given, all of them too`, () =>
      Effect.gen(function*() {
        for (const rate of [0, 0.5, 1]) {
          const injections = profile({ rate }).filter(({ action }) => action._tag !== "latency")
          const fiber = yield* Effect.forEach(Array.from({ length: 1000 }, (_, number) => number), (number) =>
            outcome(ClaudeService.use((claude) => claude.createMessage(asking(`Question ${number}`)))), {
            concurrency: "unbounded"
          }).pipe(Effect.provide(under(injections), { local: true }), Effect.forkChild)
          yield* TestClock.adjust("1 second")
          const failed = (yield* Fiber.join(fiber)).filter((tag) =>
            tag !== "ok"
          ).length
          if (rate === 0.5) assert.approximately(failed, 500, 50)
          else assert.strictEqual(failed, 1000 * rate)
        }
      }))
  }

  it.effect("hits its share of different calls, and of equal ones", () =>
    Effect.gen(function*() {
      for (const contents of [different, different.map(() => "the same")]) {
        for (const rate of [0.05, 0.5]) {
          const hits = (yield* hitsOf(rate, "seed", contents, 1)).length
          // Four standard deviations of a binomial.
          const deviation = Math.sqrt(contents.length * rate * (1 - rate))
          assert.isBelow(Math.abs(hits - contents.length * rate), 4 * deviation, `${rate}`)
        }
      }
      assert.strictEqual((yield* hitsOf(0, "seed", different.slice(0, 500), 1)).length, 0)
      assert.strictEqual((yield* hitsOf(1, "seed", different.slice(0, 500), 1)).length, 500)
    }), 60_000)

  it.effect("hits the same calls in whatever order they come", () =>
    Effect.gen(function*() {
      const some = different.slice(0, 300)
      const hits = yield* hitsOf(0.3, "seed", some, 1)
      assert.deepStrictEqual(new Set(yield* hitsOf(0.3, "seed", some.toReversed(), 7)), new Set(hits))
      assert.notDeepEqual(yield* hitsOf(0.3, "another seed", some, 1), hits)
      // Each content three times, in another order.
      const thrice = [...some, ...some, ...some]
      const sorted = some.flatMap((content) => [content, content, content])
      const countsOf = (hits: ReadonlyArray<string | undefined>) => Object.groupBy(hits, (content) => content ?? "")
      assert.deepStrictEqual(
        countsOf(yield* hitsOf(0.3, "seed", thrice, 5)),
        countsOf(yield* hitsOf(0.3, "seed", sorted, 1))
      )
    }))

  it.effect("what a smaller rate hits, a larger one hits too", () =>
    Effect.gen(function*() {
      const few = yield* hitsOf(0.1, "seed", different.slice(0, 500), 1)
      const many = new Set(yield* hitsOf(0.4, "seed", different.slice(0, 500), 1))
      assert.isTrue(few.every((content) => many.has(content)))
    }))

  it.effect("injections draw independently, and one does not change what another hits", () =>
    Effect.gen(function*() {
      const run = (injections: ReadonlyArray<Chaos.Injection>) =>
        Effect.forEach(different, (content) =>
          outcome(ClaudeService.use((claude) => claude.createMessage(asking(content))))).pipe(
            Effect.provide(under(injections), { local: true })
          )
      const billing = Chaos.fault(Fault.billing(), { rate: 0.5, name: "billing" })
      const half = overload({ rate: 0.5, name: "overload" })
      const alone = yield* run([half])
      const both = yield* run([billing, half])
      const tally = (tags: ReadonlyArray<string>, tag: string) =>
        tags.filter((own) => own === tag).length
      assert.isBelow(Math.abs(tally(both, "BillingError") - 500), 70)
      assert.isBelow(Math.abs(tally(both, "OverloadedError") - 250), 60)
      both.forEach((tag, index) => tag === "OverloadedError" && assert.strictEqual(alone[index], tag))
    }))

  it.effect("only the calls that are asked for", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual([yield* outcome(create), yield* outcome(collect), yield* outcome(count)], [
        "ok",
        "ok",
        "OverloadedError"
      ])
    }).pipe(Effect.provide(under([overload({ calls: ({ method }) => method === "countTokens" })]))))

  it.effect("a request that is no JSON is passed on to whoever says so", () =>
    Effect.gen(function*() {
      const circular: Record<string, unknown> = { ...request }
      circular["self"] = circular
      const claude = yield* ClaudeService
      const call = claude.createMessage(circular as unknown as MessageRequest)
      assert.strictEqual(yield* outcome(call), "OverloadedError")
    }).pipe(Effect.provide(under([overload()]))))
})

describe("windows", () => {
  const outcomesAt = (layer: Layer.Layer<ClaudeService>, times: ReadonlyArray<Duration.Input>) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      let at = Duration.zero
      for (const time of times) {
        const next = Duration.fromInputUnsafe(time)
        yield* TestClock.adjust(Duration.subtract(next, at))
        at = next
        seen.push((yield* outcome(create)) === "ok" ? "." : "x")
      }
      return seen.join("")
    }).pipe(Effect.provide(layer, { local: true }))

  it.effect("from and to", () =>
    Effect.gen(function*() {
      const layer = under([overload({ from: "1 minute", to: "3 minutes" })])
      assert.strictEqual(
        yield* outcomesAt(layer, [0, "59 seconds", "60 seconds", "179 seconds", "3 minutes", "1 hour"]),
        "..xx.."
      )
    }))

  it.effect("every and for, counted from from", () =>
    Effect.gen(function*() {
      const layer = under([overload({ from: "30 seconds", every: "10 minutes", for: "1 minute", to: "15 minutes" })])
      const times = [
        0,
        "30 seconds",
        "89 seconds",
        "90 seconds",
        "630 seconds",
        "689 seconds",
        "690 seconds",
        "21 minutes"
      ]
      assert.strictEqual(yield* outcomesAt(layer, times as ReadonlyArray<Duration.Input>), ".xx.xx..")
    }))

  it.effect("count from when the switch was turned on", () =>
    Effect.gen(function*() {
      const operator = yield* Chaos.Switch
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* outcome(create), "ok")
      yield* operator.turnOn()
      assert.strictEqual(yield* outcome(create), "ok")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* outcome(create), "OverloadedError")
      // Anew.
      yield* operator.turnOn()
      assert.strictEqual(yield* outcome(create), "ok")
    }).pipe(Effect.provide(
      under([overload({ from: "1 minute" })], {}).pipe(Layer.provideMerge(Chaos.layerSwitch()))
    )))

  it("wrong ones are refused", () => {
    const refused = (options: Partial<Chaos.InjectionOptions>) =>
      assert.throws(() => overload(options), RangeError, "Chaos.fault")
    refused({ rate: 1.1 })
    refused({ rate: Number.NaN })
    refused({ from: "2 minutes", to: "1 minute" })
    refused({ every: "1 minute" })
    refused({ for: "1 minute" })
    refused({ every: "1 minute", for: "2 minutes" })
    refused({ from: -1 })
    assert.throws(() => Chaos.latency({ min: 2, max: 1 }, { rate: 1 }), RangeError, "min is at most its max")
    assert.throws(() => Chaos.cutStream({ rate: 1, afterEvents: -1 }), RangeError, `"afterEvents"`)
    assert.throws(() => Chaos.refusal({ rate: 1, afterEvents: 0 }), RangeError, `"afterEvents"`)
    assert.throws(() => Chaos.brownout({ slowRate: 2 }), RangeError, `"slowRate"`)
    assert.throws(() => Chaos.spendCap({ rate: -1 }), RangeError, "Chaos.spendCap")
  })
})

describe("the switch", () => {
  const withSwitch = (options: Chaos.ChaosOptions = {}, on?: boolean) =>
    under([overload()], options).pipe(Layer.provideMerge(Chaos.layerSwitch({ on })))

  it.effect("off by default: nothing is injected", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcome(create), "ok")
    }).pipe(Effect.provide(under([overload()], {}))))

  it.effect("on when somebody says so, and nobody says no", () =>
    Effect.gen(function*() {
      const says = [undefined, true, false]
      for (const enabled of says) {
        for (const operator of says) {
          for (const region of says) {
            const base = under([overload()], { enabled })
            const layer = operator === undefined
              ? base
              : base.pipe(Layer.provide(Chaos.layerSwitch({ on: operator }).pipe(Layer.provide(quiet))))
            const call = region === undefined ? create : Chaos.withEnabled(create, region)
            const all = [enabled, operator, region]
            const expected = all.includes(true) && !all.includes(false) ? "OverloadedError" : "ok"
            assert.strictEqual(yield* outcome(Effect.provide(call, layer, { local: true })), expected, String(all))
          }
        }
      }
    }))

  it.effect("nothing within what is excluded is included again", () =>
    Effect.gen(function*() {
      const within = create.pipe(Chaos.withEnabled(true), Chaos.withEnabled(false))
      assert.strictEqual(yield* outcome(within), "ok")
      const around = create.pipe(Chaos.withEnabled(false), Chaos.withEnabled(true))
      assert.strictEqual(yield* outcome(around), "ok")
    }).pipe(Effect.provide(under([overload()], {}))))

  it.effect("a stream can be spared too", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const spared = Stream.provideService(claude.streamMessage(request), Chaos.CurrentEnabled, false)
      assert.strictEqual(yield* outcome(Stream.runDrain(spared)), "ok")
      assert.strictEqual(yield* outcome(collect), "OverloadedError")
    }).pipe(Effect.provide(under([overload()]))))

  it.effect("flipped while calls run: each goes by what was so when it was sent", () =>
    Effect.gen(function*() {
      const operator = yield* Chaos.Switch
      yield* operator.turnOn()
      const late = yield* Effect.forkChild(Effect.result(create))
      yield* TestClock.adjust("10 seconds")
      yield* operator.turnOff
      assert.isFalse(yield* operator.isOn)
      assert.isDefined(yield* create)
      yield* TestClock.adjust("49 seconds")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(late))._tag, "Failure")
    }).pipe(Effect.provide(
      under([Chaos.latency("1 minute", { rate: 1 }), overload()], {}).pipe(Layer.provideMerge(Chaos.layerSwitch()))
    )))

  it.effect("the retry of a call goes by what is so then", () =>
    Effect.gen(function*() {
      const operator = yield* Chaos.Switch
      const fiber = yield* Effect.forkChild(create)
      yield* TestClock.adjust("1 second")
      yield* operator.turnOff
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).stop_reason, "end_turn")
    }).pipe(Effect.provide(
      healthy.pipe(
        Chaos.withChaos([overload()]),
        ClaudeLayer.withRetry(Schedule.spaced("10 seconds")),
        Layer.provideMerge(Chaos.layerSwitch({ on: true })),
        Layer.merge(quiet)
      )
    )))

  it.effect("turns itself off", () =>
    Effect.gen(function*() {
      const operator = yield* Chaos.Switch
      yield* operator.turnOn({ for: "10 minutes" })
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual(yield* outcome(create), "OverloadedError")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* outcome(create), "ok")
      assert.throws(() => operator.turnOn({ for: 0 }), RangeError, `"for"`)
    }).pipe(Effect.provide(withSwitch())))

  it.effect("logs each flip", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ logLevel, message }) => lines.push([logLevel, message]))])
      yield* Effect.gen(function*() {
        const operator = yield* Chaos.Switch
        yield* operator.turnOn({ for: "10 minutes" })
        yield* operator.turnOff
      }).pipe(Effect.provide(Layer.provideMerge(Chaos.layerSwitch(), logger)))
      assert.deepStrictEqual(lines, [["Warn", ["Chaos is on", { for: "10m" }]], ["Info", ["Chaos is off"]]])
    }))

  it.effect("begins as a Config says", () =>
    Effect.gen(function*() {
      const flag = Config.Boolean("CLAUDE_CHAOS")
      const environment = (value: string) => ConfigProvider.layer(ConfigProvider.fromUnknown({ CLAUDE_CHAOS: value }))
      for (const [value, expected] of [["true", "OverloadedError"], ["false", "ok"]] as const) {
        const bySwitch = under([overload()], {}).pipe(
          Layer.provide(Chaos.layerSwitch({ on: flag })),
          Layer.provide(environment(value))
        )
        const byOption = healthy.pipe(
          Chaos.withChaos([overload()], { enabled: flag }),
          Layer.provide(environment(value)),
          Layer.merge(quiet)
        )
        for (const layer of [bySwitch, byOption]) {
          assert.strictEqual(yield* outcome(Effect.provide(create, layer, { local: true })), expected)
        }
      }
      const wrong = healthy.pipe(
        Chaos.withChaos([overload()], { enabled: flag }),
        Layer.provide(environment("perhaps"))
      )
      assert.strictEqual(yield* outcome(Effect.provide(create, wrong, { local: true })), "ConfigError")
    }))
})

describe("in a composition", () => {
  const everything = ClaudeLayer.standard({
    hedge: {},
    cache: { staleFor: "1 minute" },
    streamRecovery: {},
    completeAnswers: {},
    usage: {},
    fallback: { models: ["claude-haiku-5-5"] },
    alerts: { onAlert: () => Effect.void }
  })

  it.effect("describe shows it, and whether it is on", () =>
    Effect.gen(function*() {
      const operator = yield* Chaos.Switch
      const shown = Effect.map(ClaudeLayer.describe, (policies) => policies.at(-1))
      const options = {
        seed: "7",
        injections: [
          { name: "spendCap", kind: "fault", rate: 1, from: "5m" },
          { name: "late", kind: "latency", rate: 0.5, from: "0", every: "10m", for: "1m", calls: "custom" }
        ]
      }
      assert.deepStrictEqual(yield* shown, { policy: "chaos", options: { on: false, ...options } })
      yield* operator.turnOn()
      assert.deepStrictEqual(yield* shown, { policy: "chaos", options: { on: true, ...options } })
    }).pipe(Effect.provide(
      healthy.pipe(
        Chaos.withChaos([
          ...Chaos.spendCap({ from: "5 minutes" }),
          Chaos.latency("1 second", {
            rate: 0.5,
            name: "late",
            every: "10 minutes",
            for: "1 minute",
            calls: () => true
          })
        ], { seed: 7 }),
        ClaudeLayer.standard(),
        Layer.provideMerge(Chaos.layerSwitch()),
        Layer.merge(quiet)
      )
    )))

  it.effect("around any policy of ClaudeLayer it is refused", () =>
    Effect.gen(function*() {
      const policies = yield* Effect.provide(ClaudeLayer.describe, healthy.pipe(everything), { local: true })
      const names = new Set(policies.map(({ policy }) => policy))
      for (const name of ["serverFallbacks", "fallbackCredit"]) names.add(name)
      assert.isAbove(names.size, 12)
      for (const name of names) {
        const base = Layer.effect(
          ClaudeService,
          Effect.map(ClaudeService, (inner) => ({ ...inner, policies: [{ name, options: {} }] }))
        ).pipe(Layer.provide(healthy))
        const defect = yield* Layer.build(base.pipe(Chaos.withChaos([]))).pipe(
          Effect.scoped,
          Effect.catchDefect(Effect.succeed)
        )
        assert(defect instanceof ClaudeLayer.CompositionError, name)
        assert.strictEqual(defect.outer, "chaos")
        assert.strictEqual(defect.inner, name)
      }
    }))

  it.effect("chaos may stand around chaos", () =>
    Effect.gen(function*() {
      const layer = under([Chaos.latency("1 second", { rate: 1 })]).pipe(
        Chaos.withChaos([overload()], { enabled: true })
      )
      assert.strictEqual(yield* outcome(Effect.provide(create, layer)), "OverloadedError")
    }))

  it.effect("attempts that meet it are attempts: spans, events, metrics and logs tell of them, and of it", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => lines.push(message))])
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const run = (call: Effect.Effect<unknown, unknown, ClaudeService>) =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          yield* Effect.gen(function*() {
            yield* ClaudeEvents.stream.pipe(
              Stream.runForEach(({ event }) =>
                Effect.sync(() =>
                  seen.push(event._tag === "ChaosInjected" ? `${event.injection}/${event.kind}` : event._tag)
                )
              ),
              Effect.forkChild({ startImmediately: true })
            )
            const fiber = yield* Effect.forkChild(Effect.exit(call))
            yield* TestClock.adjust("10 minutes")
            yield* Fiber.join(fiber)
            yield* TestClock.adjust("1 second")
          }).pipe(Effect.provide(
            healthy.pipe(
              Chaos.withChaos([
                Chaos.latency("1 second", { rate: 1, name: "slow" }),
                overload({ name: "storm", to: "2 seconds" }),
                Chaos.truncatedOutput({ rate: 1, name: "short" })
              ], { enabled: true }),
              ClaudeLayer.withRetry(Schedule.spaced("10 seconds")),
              ClaudeLayer.withTelemetry(),
              Layer.provideMerge(ClaudeEvents.layer()),
              Layer.merge(logger)
            ),
            { local: true }
          ))
          return seen
        })
      for (const call of [Effect.asVoid(create), Effect.asVoid(collect)]) {
        spans.length = 0
        lines.length = 0
        const registry = new Map()
        const seen = yield* run(call).pipe(
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provideService(Metric.MetricRegistry, registry)
        )
        assert.deepStrictEqual(seen, [
          "CallStarted",
          "slow/latency",
          "storm/fault",
          "AttemptFailed",
          "RetryScheduled",
          "slow/latency",
          "short/outcome",
          "CallEnded"
        ])
        assert.deepStrictEqual(spans.map(({ attributes, name }) => [name, attributes.get("claude.chaos")]), [
          ["chat claude-sonnet-5-5", undefined],
          ["attempt", ["slow", "storm"]],
          ["attempt", ["slow", "short"]]
        ])
        assert.deepStrictEqual(lines[0], [
          "Chaos injected",
          { injection: "slow", kind: "latency", model: request.model, attempt: 1 }
        ])
        assert.strictEqual(lines.length, 5)
        const metric = Metric.withAttributes(ClaudeMetrics.chaosInjections, { injection: "slow" })
        const { count: times } = yield* Effect.provideService(Metric.value(metric), Metric.MetricRegistry, registry)
        assert.strictEqual(times, 2)
      }
    }))

  it.effect("a layer of somebody else's next to the client hides no attempt", () =>
    Effect.gen(function*() {
      const foreign = Layer.effect(
        ClaudeService,
        Effect.map(ClaudeService, (inner) => ({ ...inner, policies: [{ name: "mine", options: {} }] }))
      ).pipe(Layer.provideMerge(healthy))
      const registry = new Map()
      yield* create.pipe(
        Effect.provide(foreign.pipe(ClaudeLayer.withRetry(), ClaudeLayer.withTelemetry())),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      const attempts = Metric.withAttributes(ClaudeMetrics.attempts, { "gen_ai.request.model": request.model })
      assert.strictEqual(
        (yield* Effect.provideService(Metric.value(attempts), Metric.MetricRegistry, registry)).count,
        1
      )
    }))
})

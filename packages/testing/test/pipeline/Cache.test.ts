import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { type CallOptions, ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as RequestKey from "@effect-claude/client/RequestKey"
import * as Admission from "@effect-claude/resilience/Admission"
import * as CacheStore from "@effect-claude/resilience/CacheStore"
import * as PersistedCacheStore from "@effect-claude/resilience/PersistedCacheStore"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { calls, createMessage, request, streamEvents, using } from "./support.ts"

const ask = (asked: MessageRequest = request, call?: CallOptions) =>
  Effect.flatMap(ClaudeService, (claude) => claude.createMessage(asked, call))

const stream = (asked: MessageRequest = request) =>
  Stream.unwrap(Effect.map(ClaudeService, (claude) => claude.streamMessage(asked)))

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const sent = Effect.map(calls, (all) => all.length)

const textOf = (message: Message) =>
  message.content.map((block) => block.type === "text" ? block.text : block.type).join()

const sourceOf = (answer: object) => AnswerInfo.of(answer).source

const cached = (age: Duration.Input, stale: boolean): AnswerInfo.Source => ({
  _tag: "Cached",
  age: Duration.fromInputUnsafe(age),
  stale
})

describe("ClaudeLayer.withCache, stale if error", () => {
  it.effect("answers a failure with the last good answer, and says so", () =>
    Effect.gen(function*() {
      const first = yield* createMessage
      assert.strictEqual(sourceOf(first)._tag, "Requested")
      yield* TestClock.adjust("2 minutes")
      const second = yield* createMessage
      assert.deepStrictEqual(second.content, first.content)
      assert.deepStrictEqual(sourceOf(second), cached("2 minutes", true))
      assert.deepStrictEqual(
        AnswerInfo.of(second).passedOver.map(({ error, target }) => [target, error?._tag]),
        [["claude-sonnet-5-5", "OverloadedError"]]
      )
      assert.strictEqual(yield* sent, 2)
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi"), Fault.overloaded()]).pipe(ClaudeLayer.withCache()))
    ))

  it.effect("finds the answer in any order of names, not for another question, another header or another user", () =>
    Effect.gen(function*() {
      yield* ask(request, { headers: { "anthropic-beta": "one" } })
      const reordered = {
        stream: false,
        messages: [{ content: "Hello", role: "user" }],
        max_tokens: 100,
        model: request.model
      }
      yield* ask(reordered as MessageRequest, { headers: { "Anthropic-Beta": "one", traceparent: "00-2" } })
      const headers = { "anthropic-beta": "one" }
      assert.strictEqual((yield* Effect.flip(ask(request, { headers: {} })))._tag, "OverloadedError")
      assert.strictEqual((yield* Effect.flip(ask({ ...request, max_tokens: 99 }, { headers })))._tag, "OverloadedError")
      const other = { ...request, metadata: { user_id: "ann" } }
      assert.strictEqual((yield* Effect.flip(ask(other, { headers })))._tag, "OverloadedError")
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi")], { after: Fault.overloaded() }).pipe(ClaudeLayer.withCache()))
    ))

  const notMended = { "a bad request": Fault.invalidRequest(), "a wrong key": Fault.authentication() }
  for (const [name, fault] of Object.entries(notMended)) {
    it.effect(`does not hide ${name}`, () =>
      Effect.gen(function*() {
        yield* createMessage
        assert.strictEqual((yield* Effect.flip(createMessage)).verdict._tag, "Stop")
      }).pipe((test) => using(test, ClaudeTest.script([Reply.text("hi"), fault]).pipe(ClaudeLayer.withCache()))))
  }

  it.effect("stands in for a missed deadline further in", () =>
    Effect.gen(function*() {
      yield* createMessage
      const fiber = yield* fork(createMessage)
      yield* TestClock.adjust("10 seconds")
      const message = yield* Fiber.join(fiber)
      assert.deepStrictEqual(sourceOf(message), cached("10 seconds", true))
      assert.strictEqual(AnswerInfo.of(message).passedOver[0]?.error?._tag, "DeadlineExceededError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("hi"), Fault.hang()]).pipe(
          ClaudeLayer.withDeadline("10 seconds"),
          ClaudeLayer.withCache()
        )
      )
    ))

  const notGood: Readonly<Record<string, ReturnType<typeof Reply.of>>> = {
    "a refusal": Reply.text("No", { stop_reason: "refusal" }),
    "a truncated answer": Reply.text("Once upon", { stop_reason: "max_tokens" }),
    "a paused turn": Reply.text("Wait", { stop_reason: "pause_turn" }),
    "an answer that filled the context window": Reply.text("So", { stop_reason: "model_context_window_exceeded" }),
    "an empty answer": Reply.of(Reply.message("", { content: [] })),
    "a blank answer": Reply.text(" "),
    "a thought without an answer": Reply.of(
      Reply.message("", { content: [{ type: "thinking", thinking: "Hm", signature: "s" }] })
    ),
    "a tool call whose input is no JSON": Reply.of(
      Reply.message("", {
        stop_reason: "tool_use",
        content: [{ type: "tool_use", id: "t", name: "pay", input: `{"amount": 1`, caller: { type: "direct" } }]
      })
    )
  }
  for (const [name, reply] of Object.entries(notGood)) {
    it.effect(`never keeps ${name}, of a message or of a stream`, () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        const both = Effect.andThen(createMessage, Stream.runDrain(stream()))
        yield* ResilienceEvent.listen(both, ({ _tag }) => heard.push(_tag))
        assert.deepStrictEqual(heard, [])
        assert.strictEqual((yield* Effect.flip(createMessage))._tag, "OverloadedError")
      }).pipe((test) =>
        using(test, ClaudeTest.script([reply, reply, Fault.overloaded()]).pipe(ClaudeLayer.withCache()))
      ))
  }

  it.effect("lets an answer without blocks pass, as gateways may have it, and never keeps it", () =>
    Effect.gen(function*() {
      for (const content of [null, "Hello", [null], {}]) {
        const odd = Reply.effect(() => Effect.succeed({ ...Reply.message(""), content: content as never }))
        const layer = ClaudeTest.script([odd, Fault.overloaded()]).pipe(ClaudeLayer.withCache())
        const [message, error] = yield* using(Effect.all([createMessage, Effect.flip(createMessage)]), layer)
        assert.deepStrictEqual(message.content, content)
        assert.strictEqual(error._tag, "OverloadedError")
      }
    }))

  it.effect("keeps the answer of a stop sequence and of a tool, unless told otherwise", () =>
    Effect.gen(function*() {
      for (const content of ["a", "b"]) yield* ask({ ...request, messages: [{ role: "user", content }] })
      const again = (content: string) => Effect.result(ask({ ...request, messages: [{ role: "user", content }] }))
      assert.deepStrictEqual([(yield* again("a"))._tag, (yield* again("b"))._tag], ["Success", "Failure"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.text("hi", { stop_reason: "stop_sequence" }),
          Reply.tool("pay", { amount: 1 })
        ], { after: Fault.overloaded() }).pipe(
          ClaudeLayer.withCache({ shouldStore: (message) => message.stop_reason !== "tool_use" })
        )
      )
    ))

  it.effect("never keeps the answer of a fallback further in", () =>
    Effect.gen(function*() {
      const message = yield* createMessage
      assert.strictEqual(sourceOf(message)._tag, "Model")
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "OverloadedError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded(), Reply.text("small")], { after: Fault.overloaded() }).pipe(
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
          ClaudeLayer.withCache()
        )
      )
    ))

  it.effect("is no way around a container or a thread, whose answers depend on what went before", () =>
    Effect.gen(function*() {
      const stateful = { ...request, container: "container_1" } as MessageRequest
      yield* ask(stateful)
      assert.strictEqual(textOf(yield* ask(stateful)), "two")
      assert.strictEqual((yield* Effect.flip(ask(stateful)))._tag, "OverloadedError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("one"), Reply.text("two"), Fault.overloaded()]).pipe(
          ClaudeLayer.withCache({ freshFor: "1 hour", coalesce: true })
        )
      )
    ))

  it.effect("gives out copies: what one caller does to its answer, the next does not see", () =>
    Effect.gen(function*() {
      const first = yield* createMessage
      first.content.push({ type: "text", text: "mine", citations: null })
      const second = yield* createMessage
      second.content.length = 0
      assert.strictEqual(textOf(yield* createMessage), "hi")
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi")]).pipe(ClaudeLayer.withCache({ freshFor: "1 hour" })))
    ))
})

describe("ClaudeLayer.withCache, fresh hits", () => {
  it.effect("asks nobody for a fresh answer, and asks again when it is old", () =>
    Effect.gen(function*() {
      yield* createMessage
      yield* TestClock.adjust("59 seconds")
      const fresh = yield* createMessage
      assert.deepStrictEqual(sourceOf(fresh), cached("59 seconds", false))
      assert.deepStrictEqual(AnswerInfo.of(fresh).passedOver, [])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(textOf(yield* createMessage), "two")
      assert.strictEqual(yield* sent, 2)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("one"), Reply.text("two")]).pipe(ClaudeLayer.withCache({ freshFor: "1 minute" }))
      )
    ))

  it.effect("holds no more answers than capacity", () =>
    Effect.gen(function*() {
      const question = (content: string) => ask({ ...request, messages: [{ role: "user", content }] })
      for (const content of ["a", "b", "c"]) yield* question(content)
      yield* question("b")
      yield* question("c")
      assert.strictEqual(yield* sent, 3)
      yield* question("a")
      assert.strictEqual(yield* sent, 4)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("hi") }).pipe(
          ClaudeLayer.withCache({ freshFor: "1 hour", capacity: 2 })
        )
      )
    ))

  it.effect("holds no more text than maxSize", () =>
    Effect.gen(function*() {
      const question = (content: string) => ask({ ...request, messages: [{ role: "user", content }] })
      for (const content of ["a", "b", "b", "a"]) yield* question(content)
      assert.strictEqual(yield* sent, 3)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("x".repeat(1000)) }).pipe(
          ClaudeLayer.withCache({ freshFor: "1 hour", maxSize: 2500 })
        )
      )
    ))

  it.effect("lets users share answers when metadata is ignored", () =>
    Effect.gen(function*() {
      for (const user_id of ["ann", "bob"]) yield* ask({ ...request, metadata: { user_id } })
      assert.strictEqual(yield* sent, 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("hi")]).pipe(ClaudeLayer.withCache({ freshFor: "1 hour", ignore: ["metadata"] }))
      )
    ))

  it.effect("forgets an answer, or all, when told to", () =>
    Effect.gen(function*() {
      const { policies } = yield* ClaudeService
      const control = policies?.find(({ name }) => name === "cache")?.control as ClaudeLayer.AnswerCache
      yield* createMessage
      assert.isTrue(Option.isSome(yield* control.lookup(request)))
      yield* control.forget(request)
      yield* createMessage
      yield* control.clear
      yield* createMessage
      yield* createMessage
      assert.strictEqual(yield* sent, 3)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Reply.text("hi") }).pipe(ClaudeLayer.withCache({ freshFor: "1 hour" }))
      )
    ))
})

describe("ClaudeLayer.withCache, streams", () => {
  const answers = { "a text": Reply.text("Hello there"), "a tool call": Reply.tool("weather", { city: "Oslo" }) }
  for (const [name, reply] of Object.entries(answers)) {
    it.effect(`replays ${name} that came as a message with the events it would have had`, () =>
      Effect.gen(function*() {
        const message = yield* createMessage
        const events = yield* streamEvents
        assert.deepStrictEqual(
          JSON.parse(JSON.stringify(events)),
          JSON.parse(JSON.stringify(MessageEvents.fromMessage(message)))
        )
        const [start] = events
        assert.isTrue(start?.type === "message_start")
        if (start?.type === "message_start") assert.deepStrictEqual(sourceOf(start.message), cached(0, true))
      }).pipe((test) => using(test, ClaudeTest.script([reply, Fault.overloaded()]).pipe(ClaudeLayer.withCache()))))

    it.effect(`answers with ${name} that came as a stream`, () =>
      Effect.gen(function*() {
        const streamed = yield* MessageEvents.message(stream())
        const message = yield* createMessage
        assert.deepStrictEqual(message.content, streamed?.content)
        assert.deepStrictEqual(message.usage, streamed?.usage)
        assert.deepStrictEqual(sourceOf(message), cached(0, true))
        assert.deepStrictEqual(
          JSON.parse(JSON.stringify(yield* MessageEvents.message(stream()))),
          JSON.parse(JSON.stringify(message))
        )
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([reply], { after: Fault.overloaded() }).pipe(ClaudeLayer.withCache())
        )
      ))
  }

  it.effect("fallback duplicated mid-stream: stands in before content, never after", () =>
    Effect.gen(function*() {
      yield* createMessage
      const replayed = yield* Stream.runCollect(stream())
      assert.strictEqual(replayed.filter(({ type }) => type === "message_start").length, 1)
      const seen: Array<string> = []
      const error = yield* stream().pipe(
        Stream.runForEach((event) => Effect.sync(() => seen.push(event.type))),
        Effect.flip
      )
      assert.strictEqual(error._tag, "StreamInterruptedError")
      assert.strictEqual(seen.filter((type) => type === "message_start").length, 1)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([
          Reply.text("hi"),
          Fault.cutStream({ afterEvents: 1 }),
          Fault.cutStream({ afterEvents: 3 })
        ]).pipe(ClaudeLayer.withCache())
      )
    ))

  it.effect("keeps a stream whose consumer stops at message_stop", () =>
    Effect.gen(function*() {
      yield* Stream.runDrain(Stream.takeUntil(stream(), ({ type }) => type === "message_stop"))
      assert.deepStrictEqual(sourceOf(yield* createMessage), cached(0, true))
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi"), Fault.overloaded()]).pipe(ClaudeLayer.withCache()))
    ))

  it.effect("keeps no stream that was cut, or that its consumer left", () =>
    Effect.gen(function*() {
      yield* Effect.flip(Stream.runDrain(stream()))
      yield* Stream.runDrain(Stream.take(stream(), 3))
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "OverloadedError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.cutStream({ afterEvents: 3 }), Reply.text("hi"), Fault.overloaded()]).pipe(
          ClaudeLayer.withCache()
        )
      )
    ))
})

describe("ClaudeLayer.withCache, coalescing", () => {
  const slow = Reply.text("hi").pipe(ClaudeTest.delayed("1 second"))

  it.effect("sends one request for a thousand callers", () =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach(Array.from({ length: 1000 }), () => fork(createMessage))
      yield* TestClock.adjust("1 second")
      const messages = yield* Effect.forEach(fibers, Fiber.join)
      assert.isTrue(messages.every((message) => textOf(message) === "hi"))
      assert.strictEqual(yield* sent, 1)
    }).pipe((test) => using(test, ClaudeTest.script([slow]).pipe(ClaudeLayer.withCache({ coalesce: true })))))

  it.effect("fails them together, or stands in for all of them", () =>
    Effect.gen(function*() {
      const both = Effect.gen(function*() {
        const fibers = [yield* fork(Effect.result(createMessage)), yield* fork(Effect.result(createMessage))]
        yield* TestClock.adjust("1 second")
        return (yield* Effect.forEach(fibers, Fiber.join)).map(({ _tag }) => _tag)
      })
      assert.deepStrictEqual(yield* both, ["Failure", "Failure"])
      assert.deepStrictEqual(yield* both, ["Success", "Success"])
      assert.deepStrictEqual(yield* both, ["Success", "Success"])
      assert.strictEqual(yield* sent, 3)
    }).pipe((test) => {
      const fault = Fault.overloaded().pipe(ClaudeTest.delayed("1 second"))
      return using(test, ClaudeTest.script([fault, slow, fault]).pipe(ClaudeLayer.withCache({ coalesce: true })))
    }))

  it.effect("lost cancellation, still billed: the request is cancelled when nobody waits, not before", () =>
    Effect.gen(function*() {
      const fibers = [yield* fork(createMessage), yield* fork(createMessage)]
      const outcomes = Effect.map(calls, (all) => all.map(({ outcome }) => outcome._tag))
      yield* TestClock.adjust("500 millis")
      for (const fiber of fibers) {
        assert.deepStrictEqual(yield* outcomes, ["Pending"])
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual(yield* outcomes, ["Interrupted"])
    }).pipe((test) => using(test, ClaudeTest.script([slow]).pipe(ClaudeLayer.withCache({ coalesce: true })))))

  it.effect("lets a stream be joined half way, and its first consumer leave", () =>
    Effect.gen(function*() {
      const first = yield* fork(Stream.runDrain(stream()))
      yield* TestClock.adjust("1 second")
      const late = yield* fork(MessageEvents.message(stream()))
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 minute")
      const message = yield* Fiber.join(late)
      assert.strictEqual(message === undefined ? undefined : textOf(message), "Hello there")
      assert.strictEqual(yield* sent, 1)
    }).pipe((test) => {
      const events = MessageEvents.fromMessage(Reply.message("Hello there"))
      const halting = Reply.events([...events.slice(0, 3), Reply.pause("10 seconds"), ...events.slice(3)])
      return using(test, ClaudeTest.script([halting]).pipe(ClaudeLayer.withCache({ coalesce: true, staleFor: 0 })))
    }))

  it.effect("does not make an interactive call wait in the place of a batch", () =>
    Effect.gen(function*() {
      const fibers = [yield* fork(Admission.withPriority(createMessage, "batch")), yield* fork(createMessage)]
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(yield* sent, 2)
    }).pipe((test) => using(test, ClaudeTest.script([slow, slow]).pipe(ClaudeLayer.withCache({ coalesce: true })))))

  it.effect("retries once for all who wait", () =>
    Effect.gen(function*() {
      const fibers = yield* Effect.forEach([1, 2, 3], () => fork(createMessage))
      yield* TestClock.adjust("1 minute")
      const infos = (yield* Effect.forEach(fibers, Fiber.join)).map(AnswerInfo.of)
      assert.deepStrictEqual(infos.map(({ attempt }) => attempt), [2, 2, 2])
      assert.strictEqual(yield* sent, 2)
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded().pipe(ClaudeTest.delayed("1 second")), slow]).pipe(
          ClaudeLayer.withRetry(Schedule.recurs(1)),
          ClaudeLayer.withCache({ coalesce: true })
        )
      )
    ))
})

describe("ClaudeLayer.withCache, stores", () => {
  const store = PersistedCacheStore.fromKeyValueStore({ prefix: "claude/", schema: Schema.String })
  const key = `claude/${RequestKey.make(request)}`

  it.effect("outlives the layer, and writes down the answer but not the question", () =>
    Effect.gen(function*() {
      const kvs = yield* KeyValueStore.KeyValueStore
      const shared = Layer.succeed(KeyValueStore.KeyValueStore, kvs)
      const pipeline = (step: Parameters<typeof ClaudeTest.script>[0][number]) =>
        ClaudeTest.script([step]).pipe(ClaudeLayer.withCache({ store }), Layer.provide(shared))
      const secret = { ...request, messages: [{ role: "user" as const, content: "My PIN is 4711" }] }
      yield* using(ask(secret), pipeline(Reply.text("Noted")))
      yield* TestClock.adjust("1 hour")
      const message = yield* using(ask(secret), pipeline(Fault.overloaded()))
      assert.deepStrictEqual(sourceOf(message), cached("1 hour", true))
      assert.strictEqual(textOf(message), "Noted")
      const names = yield* kvs.keys
      assert.deepStrictEqual(names, [`claude/${RequestKey.make(secret)}`])
      const written = yield* Effect.forEach(names, kvs.get)
      assert.include(written.join(), "Noted")
      assert.notInclude(written.join(), "4711")
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))

  const corrupted = {
    "no JSON": "{",
    "another shape": JSON.stringify({ storedAt: 0, value: 1 }),
    "no message": JSON.stringify({ storedAt: 0, value: JSON.stringify({ type: "message" }) }),
    "a refusal": JSON.stringify({
      storedAt: 0,
      value: JSON.stringify(Reply.message("No", { stop_reason: "refusal" }))
    }),
    "text": JSON.stringify({ storedAt: 0, value: "hi" })
  }
  for (const [name, text] of Object.entries(corrupted)) {
    it.effect(`ignores and replaces a stored entry that is ${name}`, () =>
      Effect.gen(function*() {
        const kvs = yield* KeyValueStore.KeyValueStore
        yield* kvs.set(key, text)
        yield* Effect.gen(function*() {
          assert.strictEqual((yield* Effect.flip(createMessage))._tag, "OverloadedError")
          yield* createMessage
          assert.strictEqual(textOf(yield* createMessage), "hi")
        }).pipe((test) =>
          using(
            test,
            ClaudeTest.script([Fault.overloaded(), Reply.text("hi"), Fault.overloaded()]).pipe(
              ClaudeLayer.withCache({ store }),
              Layer.provide(Layer.succeed(KeyValueStore.KeyValueStore, kvs))
            )
          )
        )
      }).pipe(Effect.provide(KeyValueStore.layerMemory)))
  }

  it.effect("goes on without a store that fails or hangs", () => {
    const broken = Effect.fail(new CacheStore.CacheStoreError({ operation: "read" }))
    return Effect.forEach([broken, Effect.never], (operation) => {
      const failing: CacheStore.CacheStore<string> = {
        get: () => operation,
        set: () => operation,
        remove: () => operation,
        clear: operation
      }
      return Effect.gen(function*() {
        const fiber = yield* fork(createMessage)
        yield* TestClock.adjust("500 millis")
        assert.strictEqual(textOf(yield* Fiber.join(fiber)), "hi")
      }).pipe(
        (test) =>
          using(
            test,
            ClaudeTest.script([Reply.text("hi")]).pipe(
              ClaudeLayer.withCache({ store: Effect.succeed(failing), freshFor: "1 minute" })
            )
          )
      )
    }).pipe(Effect.provide(Logger.layer([])))
  })
})

describe("ClaudeLayer.withCache, the rest", () => {
  it.effect("tells what it did", () =>
    Effect.gen(function*() {
      const heard: Array<ResilienceEvent.ResilienceEvent> = []
      const listen = ResilienceEvent.listen((event) => heard.push(event))
      yield* listen(createMessage)
      yield* listen(createMessage)
      assert.deepStrictEqual(heard, [
        { _tag: "CacheStored" },
        { _tag: "CacheHit", age: Duration.zero, stale: true }
      ])
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi"), Fault.overloaded()]).pipe(ClaudeLayer.withCache()))
    ))

  it.effect("is a target of a fallback further in, which does not make the answer any newer", () =>
    Effect.gen(function*() {
      yield* createMessage
      for (const age of ["1 hour", "2 hours"] as const) {
        yield* TestClock.adjust("1 hour")
        const message = yield* createMessage
        assert.deepStrictEqual(sourceOf(message), cached(age, true))
        assert.deepStrictEqual(AnswerInfo.of(message).passedOver.map(({ error }) => error?._tag), ["OverloadedError"])
        const start = (yield* streamEvents)[0]
        assert.isTrue(start?.type === "message_start")
        if (start?.type === "message_start") assert.deepStrictEqual(sourceOf(start.message), cached(age, true))
      }
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Reply.text("hi")], { after: Fault.overloaded() }).pipe(
          ClaudeLayer.withFallback({ targets: [{ cached: true }] }),
          ClaudeLayer.withCache({ shouldServeStale: () => false })
        )
      )
    ))

  it.effect("makes no attempt of an answer from the cache, for whoever counts attempts", () => {
    const spans: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        spans.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    return Effect.gen(function*() {
      yield* createMessage
      yield* createMessage
      yield* Stream.runDrain(stream())
      assert.deepStrictEqual(spans.filter((name) => name === "attempt").length, 1)
      assert.deepStrictEqual(spans.filter((name) => name.startsWith("chat")).length, 3)
    }).pipe(
      (test) =>
        using(
          test,
          ClaudeTest.script([Reply.text("hi")]).pipe(
            ClaudeLayer.withCache({ freshFor: "1 hour" }),
            ClaudeLayer.withTelemetry()
          )
        ),
      Effect.provideService(Tracer.Tracer, tracer)
    )
  })

  it.effect("does not stand in the way of a request that is no JSON, nor of token counts", () =>
    Effect.gen(function*() {
      const claude = yield* ClaudeService
      const wrong = { ...request, max_tokens: 1n as unknown as number }
      assert.strictEqual((yield* Effect.flip(ask(wrong)))._tag, "InvalidRequestError")
      assert.isAbove((yield* claude.countTokens(request)).input_tokens, 0)
    }).pipe((test) =>
      using(test, ClaudeTest.script([Reply.text("hi")]).pipe(ClaudeLayer.withCache({ coalesce: true })))
    ))

  it("refuses options that make no sense, and two that contradict each other", () => {
    const store = Effect.sync(() => CacheStore.memory<string>())
    assert.throws(() => ClaudeLayer.withCache({ staleFor: 0 }), RangeError, `"staleFor" or "freshFor"`)
    assert.throws(() => ClaudeLayer.withCache({ staleFor: -1 }), RangeError, `ClaudeLayer.withCache: option "staleFor"`)
    assert.throws(() => ClaudeLayer.withCache({ storeTimeout: 0 }), RangeError, `option "storeTimeout"`)
    assert.throws(() => ClaudeLayer.withCache({ capacity: 0 }), RangeError, `option "capacity"`)
    assert.throws(() => ClaudeLayer.withCache({ capacity: 5, store }), RangeError, `option "capacity"`)
    assert.throws(() => ClaudeLayer.withCache({ maxSize: 5, store }), RangeError, `option "maxSize"`)
  })
})

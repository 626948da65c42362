import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import { OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type AnswerLookup, CurrentAnswerCache } from "../../../client/src/internal/callContext.ts"
import { asked, why } from "./fallbackSupport.ts"
import { createMessage, request, streamEvents, using } from "./support.ts"

const textOf = (message: { readonly content: ReadonlyArray<{ readonly type: string; readonly text?: string }> }) =>
  message.content.map((block) => block.text ?? block.type).join("")

/** The answer of a stream: its text, and what its only `message_start` says of it. */
const streamed = Effect.map(streamEvents, (events) => {
  const starts = events.flatMap((event) => event.type === "message_start" ? [AnswerInfo.of(event.message)] : [])
  assert.strictEqual(starts.length, 1)
  assert.strictEqual(events.filter((event) => event.type === "message_stop").length, 1)
  const text = events.map((event) =>
    event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : ""
  ).join("")
  return { info: starts[0] as AnswerInfo.AnswerInfo, text }
})

/** Another service that tells which models it was asked for, and how often it was built. */
const elsewhere = (...steps: ReadonlyArray<Fault.Fault | string>) => {
  const seen: Array<string> = []
  let builds = 0
  let closed = 0
  const answering = (text: string) =>
    Reply.effect(({ model }) =>
      Effect.sync(() => {
        seen.push(model)
        return Reply.message(text, { model })
      })
    )
  const script = ClaudeTest.script(steps.map((step) => typeof step === "string" ? answering(step) : step))
  const counted = Layer.effectDiscard(Effect.acquireRelease(
    Effect.sync(() => {
      builds += 1
    }),
    () =>
      Effect.sync(() => {
        closed += 1
      })
  ))
  return {
    seen,
    counts: () => ({ builds, closed }),
    layer: Layer.merge(script, counted)
  }
}

const cacheOf = (lookup: AnswerLookup["lookup"]) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, CurrentAnswerCache, { lookup })

describe("withFallback: another service", () => {
  it.effect("is asked for the same model, and is named as the source", () => {
    const cloud = elsewhere("from the cloud")
    return Effect.gen(function*() {
      const message = yield* createMessage
      const info = AnswerInfo.of(message)
      assert.strictEqual(textOf(message), "from the cloud")
      assert.deepStrictEqual(info.source, { _tag: "Service", name: "cloud" })
      assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "OverloadedError"]])
      assert.deepStrictEqual(cloud.seen, ["claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({ targets: [{ name: "cloud", layer: cloud.layer }] })
        )
      )
    )
  })

  it.effect("may be asked for another model, which its source says", () => {
    const cloud = elsewhere("from the cloud")
    return Effect.gen(function*() {
      const { info, text } = yield* streamed
      assert.strictEqual(text, "from the cloud")
      assert.deepStrictEqual(info.source, { _tag: "Service", name: "cloud", model: "vendor.claude-sonnet" })
      assert.deepStrictEqual(cloud.seen, ["vendor.claude-sonnet"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({
            targets: [{ name: "cloud", layer: cloud.layer, model: "vendor.claude-sonnet" }]
          })
        )
      )
    )
  })

  it.effect("is built once for all calls and all its places, and closed with the fallback", () => {
    const cloud = elsewhere("one", "two", "three")
    const target = { name: "cloud", layer: cloud.layer }
    return Effect.gen(function*() {
      yield* Effect.gen(function*() {
        yield* createMessage
        yield* createMessage
        yield* createMessage
        assert.deepStrictEqual(cloud.counts(), { builds: 1, closed: 0 })
      }).pipe((test) =>
        using(
          test,
          ClaudeTest.script([Fault.overloaded(), Fault.refusal(), Fault.overloaded()]).pipe(
            ClaudeLayer.withFallback({ targets: [target], refusal: { targets: [target] } })
          )
        )
      )
      assert.deepStrictEqual(cloud.counts(), { builds: 1, closed: 1 })
    })
  })

  it.effect("keeps the policies of its own: retries there, and a source that is a model there", () => {
    const cloud = elsewhere(Fault.overloaded(), Fault.overloaded(), "from the smaller one")
    const layer = cloud.layer.pipe(
      ClaudeLayer.withRetry(Schedule.recurs(1)),
      ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
    )
    return Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Service", name: "cloud", model: "claude-haiku-5-5" })
      assert.deepStrictEqual(why(info), [
        ["claude-sonnet-5-5", "OverloadedError"],
        ["claude-sonnet-5-5", "OverloadedError"]
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withFallback({ targets: [{ name: "cloud", layer }] }))
      )
    )
  })

  it.effect("says what was adapted for it, and what it adapted itself", () => {
    const limited = (model: string, maxOutputTokens: number) => ({ model, capabilities: { maxOutputTokens } })
    const layer = elsewhere(Fault.overloaded(), "from the smaller one").layer.pipe(
      ClaudeLayer.withFallback({ models: [limited("claude-haiku-5-5", 20)] })
    )
    return Effect.gen(function*() {
      assert.deepStrictEqual(AnswerInfo.of(yield* createMessage).adapted, [
        "max_tokens from 100 to 50",
        "max_tokens from 50 to 20"
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({ targets: [{ name: "cloud", layer, ...limited("claude-sonnet-5-5", 50) }] })
        )
      )
    )
  })

  it.effect("does not get the credentials of the call, which another model of the same account does", () => {
    const heard: Array<readonly [string, unknown]> = []
    const overhear = (name: string) => (layer: ReturnType<typeof ClaudeTest.script>) =>
      Layer.effect(
        ClaudeService,
        Effect.map(ClaudeService, (claude): ClaudeServiceShape => ({
          ...claude,
          createMessage: (asked, call) => {
            heard.push([name, call?.headers])
            return claude.createMessage(asked, call)
          },
          streamMessage: (asked, call) => {
            heard.push([name, call?.headers])
            return claude.streamMessage(asked, call)
          }
        }))
      ).pipe(Layer.provide(layer))
    const headers = { "anthropic-beta": "a", "X-Api-Key": "sk-ant-tenant", authorization: "Bearer tenant" }
    return Effect.gen(function*() {
      const claude = yield* ClaudeService
      const { adapted } = AnswerInfo.of(yield* claude.createMessage(request, { headers }))
      yield* Stream.runDrain(claude.streamMessage(request, { headers }))
      assert.deepStrictEqual(adapted, ["headers with credentials left out"])
      const once = [["own", headers], ["own", headers], ["cloud", { "anthropic-beta": "a" }]] as const
      assert.deepStrictEqual(heard, [...once, ...once])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([], { after: Fault.overloaded() }).pipe(
          overhear("own"),
          ClaudeLayer.withFallback({
            targets: [
              "claude-haiku-5-5",
              { name: "cloud", layer: ClaudeTest.script([], { after: Reply.text("hi") }).pipe(overhear("cloud")) }
            ]
          })
        )
      )
    )
  })

  it.effect("has an account of its own: a spend limit here does not spare it, one there spares its models", () => {
    const cloud = elsewhere(Fault.spendLimit())
    const third = elsewhere("from the third")
    return Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Service", name: "third" })
      assert.deepStrictEqual(why(info), [
        ["claude-sonnet-5-5", "SpendLimitError"],
        ["claude-haiku-5-5", "spend limit of the same account"],
        ["cloud", "SpendLimitError"],
        ["cloud, smaller", "spend limit of the same account"]
      ])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.spendLimit()]).pipe(
          ClaudeLayer.withFallback({
            targets: [
              "claude-haiku-5-5",
              { name: "cloud", layer: cloud.layer },
              { name: "cloud, smaller", layer: cloud.layer, model: "claude-haiku-5-5" },
              { name: "third", layer: third.layer }
            ]
          })
        )
      )
    )
  })

  it.effect("that cannot be built fails the layer", () =>
    Effect.gen(function*() {
      const broken = Layer.effect(ClaudeService, Effect.fail("no key" as const))
      const layer = ClaudeTest.script([]).pipe(
        ClaudeLayer.withFallback({ targets: [{ name: "cloud", layer: broken }] })
      )
      assert.strictEqual(yield* Effect.flip(using(createMessage, layer)), "no key")
    }))
})

describe("withFallback: answers without a model", () => {
  it.effect("a cached answer is given with its age; the cache is asked for the request as it was", () => {
    const lookups: Array<unknown> = []
    return Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Cached", age: Duration.minutes(3), stale: true })
      assert.deepStrictEqual(why(info), [
        ["claude-sonnet-5-5", "OverloadedError"],
        ["claude-haiku-5-5", "OverloadedError"]
      ])
      assert.deepStrictEqual(lookups, [request])
    }).pipe(
      cacheOf((given) =>
        Effect.sync(() => {
          lookups.push(given)
          return Option.some({ message: Reply.message("from before"), age: Duration.minutes(3) })
        })
      ),
      (test) =>
        using(
          test,
          ClaudeTest.script([Fault.overloaded(), Fault.overloaded()]).pipe(
            ClaudeLayer.withFallback({
              models: ["claude-haiku-5-5"],
              targets: [{ cached: true }],
              answer: () => "busy"
            })
          )
        )
    )
  })

  it.effect("a cached answer is streamed too", () =>
    Effect.gen(function*() {
      const { info, text } = yield* streamed
      assert.strictEqual(text, "from before")
      assert.strictEqual(info.source._tag, "Cached")
    }).pipe(
      cacheOf(() => Effect.succeedSome({ message: Reply.message("from before"), age: Duration.zero })),
      (test) =>
        using(
          test,
          ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withFallback({ targets: [{ cached: true }] }))
        )
    ))

  const cachedThenStatic = ClaudeLayer.withFallback({ targets: [{ cached: true }], answer: () => "busy" })

  it.effect("without a cache outside, and without an answer in it, the cached answer is skipped", () =>
    Effect.gen(function*() {
      const none = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(why(none), [["claude-sonnet-5-5", "OverloadedError"], ["cached answer", "no cache"]])
      const empty = AnswerInfo.of(yield* createMessage.pipe(cacheOf(() => Effect.succeedNone)))
      assert.deepStrictEqual(why(empty), [["claude-sonnet-5-5", "OverloadedError"], [
        "cached answer",
        "no cached answer"
      ]])
      assert.strictEqual(empty.source._tag, "Static")
    }).pipe((test) => using(test, ClaudeTest.script([Fault.overloaded(), Fault.overloaded()]).pipe(cachedThenStatic))))

  class Queue
    extends Context.Service<Queue, { readonly put: (item: string) => Effect.Effect<number> }>()("test/Queue")
  {}

  it.effect("a hand-off gets the request and the last error, and what it needs from the layer", () => {
    const queued: Array<string> = []
    const queue = Layer.succeed(Queue, {
      put: (item) => Effect.sync(() => queued.push(item))
    })
    const layer = ClaudeTest.script([Fault.overloaded(), Fault.internalServer()]).pipe(
      ClaudeLayer.withFallback({
        targets: ["claude-haiku-5-5", {
          handOff: (asked, error) =>
            Effect.gen(function*() {
              const place = yield* (yield* Queue).put(`${asked.model}: ${error._tag}`)
              return `You are number ${place} in the queue`
            })
        }]
      }),
      Layer.provide(queue)
    )
    return Effect.gen(function*() {
      const message = yield* createMessage
      const info = AnswerInfo.of(message)
      assert.strictEqual(textOf(message), "You are number 1 in the queue")
      assert.deepStrictEqual(info.source, { _tag: "HandOff" })
      assert.deepStrictEqual(why(info), [
        ["claude-sonnet-5-5", "OverloadedError"],
        ["claude-haiku-5-5", "InternalServerError"]
      ])
      assert.deepStrictEqual(queued, ["claude-sonnet-5-5: InternalServerError"])
    }).pipe((test) => using(test, layer))
  })

  it.effect("a hand-off that fails leads to the next target, and is interrupted with its call", () =>
    Effect.gen(function*() {
      const info = AnswerInfo.of(yield* createMessage)
      assert.deepStrictEqual(info.source, { _tag: "Static" })
      assert.deepStrictEqual(why(info), [["claude-sonnet-5-5", "OverloadedError"], ["night shift", "OverloadedError"]])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({
            targets: [
              { name: "night shift", handOff: () => Effect.fail(new OverloadedError({ message: "asleep" })) },
              { answer: () => Reply.message("busy") }
            ]
          })
        )
      )
    ))
})

describe("withFallback: which errors", () => {
  it.effect("a list of tags says which errors fall through", () =>
    Effect.gen(function*() {
      yield* createMessage
      const error = yield* Effect.flip(createMessage)
      assert.strictEqual(error._tag, "OverloadedError")
      assert.deepStrictEqual(yield* asked, ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-5-5"])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.authentication(), Reply.text("hi"), Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"], shouldFallback: ["AuthenticationError"] })
        )
      )
    ))

  it.effect("a bad request to a target further down ends the call", () => {
    const cloud = elsewhere(Fault.invalidRequest())
    return Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(createMessage))._tag, "InvalidRequestError")
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([Fault.overloaded()]).pipe(
          ClaudeLayer.withFallback({ targets: [{ name: "cloud", layer: cloud.layer }], answer: () => "busy" })
        )
      )
    )
  })

  it("refuses chains that cannot work", () => {
    const { layer } = elsewhere()
    assert.throws(
      () => ClaudeLayer.withFallback({ targets: ["a", { model: "a" }] }),
      RangeError,
      /"targets".*"a" twice/
    )
    assert.throws(
      () => ClaudeLayer.withFallback({ targets: [{ name: "x", layer }, { name: "x", layer, model: "y" }] }),
      RangeError,
      /"x" twice/
    )
    assert.throws(() => ClaudeLayer.withFallback({ targets: [{ name: "", layer }] }), RangeError, /empty/)
    assert.throws(() => ClaudeLayer.withFallback({ targets: [{ name: "x", layer, model: "" }] }), RangeError, /empty/)
    assert.throws(
      () => ClaudeLayer.withFallback({ targets: [{ answer: () => "busy" }, "a"] }),
      RangeError,
      /"static answer" before others/
    )
    assert.throws(() => ClaudeLayer.withFallback({ refusal: {} }), RangeError, /"refusal" holds no target/)
    assert.throws(
      () => ClaudeLayer.withFallback({ contextOverflow: { models: ["a", "a"] } }),
      RangeError,
      /"contextOverflow.models"/
    )
    assert.throws(
      () => ClaudeLayer.withFallback({ models: [{ model: "a", capabilities: { maxOutputTokens: 0 } }] }),
      RangeError,
      /"models.capabilities.maxOutputTokens".*0/
    )
  })
})

describe("withFallback: what others see of it", () => {
  it.effect("tells of switches and skips", () => {
    const seen: Array<ResilienceEvent.ResilienceEvent> = []
    return Effect.gen(function*() {
      yield* createMessage
      assert.deepStrictEqual(seen, [
        { _tag: "FallbackSkipped", target: "cached answer", reason: "no cache" },
        { _tag: "FallbackSwitched", from: "claude-sonnet-5-5", to: "claude-haiku-5-5", error: "OverloadedError" },
        { _tag: "FallbackAdapted", target: "claude-haiku-5-5", changes: ["max_tokens from 100 to 50"] },
        { _tag: "FallbackSwitched", from: "claude-haiku-5-5", to: "static answer", error: "InternalServerError" }
      ])
    }).pipe(
      ResilienceEvent.listen((event) => {
        seen.push(event)
      }),
      (test) =>
        using(
          test,
          ClaudeTest.script([Fault.overloaded(), Fault.internalServer()]).pipe(
            ClaudeLayer.withFallback({
              targets: [{ cached: true }, { model: "claude-haiku-5-5", capabilities: { maxOutputTokens: 50 } }],
              answer: () => "busy"
            })
          )
        )
    )
  })

  it.effect("its policy lists the chains", () =>
    Effect.gen(function*() {
      const { policies } = yield* ClaudeService
      assert.deepStrictEqual(policies?.map(({ name, options }) => ({ name, options })), [{
        name: "fallback",
        options: {
          models: ["claude-haiku-5-5"],
          answer: true,
          targets: ["claude-haiku-5-5", "cloud", "cached answer", "static answer"],
          refusal: ["claude-opus-4-8"]
        }
      }])
    }).pipe((test) =>
      using(
        test,
        ClaudeTest.script([]).pipe(
          ClaudeLayer.withFallback({
            models: ["claude-haiku-5-5"],
            targets: [{ name: "cloud", layer: elsewhere().layer }, { cached: true }],
            answer: () => "busy",
            refusal: { models: ["claude-opus-4-8"] }
          })
        )
      )
    ))
})

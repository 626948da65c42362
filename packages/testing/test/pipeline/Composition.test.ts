import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { calls, createMessage, using } from "./support.ts"

const base = () => ClaudeTest.script([], { after: Reply.text("hi") })

const build = (layer: Layer.Layer<ClaudeService>) =>
  Effect.exit(Effect.scoped(Effect.map(Layer.build(layer), (context) => Context.get(context, ClaudeService))))

const refusal = (layer: Layer.Layer<ClaudeService>) =>
  Effect.map(build(layer), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, ClaudeLayer.CompositionError)
    return error instanceof ClaudeLayer.CompositionError ? error : new ClaudeLayer.CompositionError("", "", "none")
  })

const names = (layer: Layer.Layer<ClaudeService>) =>
  Effect.map(build(layer), (exit) => Exit.isSuccess(exit) ? exit.value.policies?.map(({ name }) => name) : undefined)

describe("the order of a pipeline", () => {
  const inner = [
    "deadline",
    "retryBudget",
    "retry",
    "circuitBreaker",
    "rateLimiter",
    "concurrency",
    "attemptTimeout"
  ]
  const withFallback = ["deadline", "fallback", ...inner.slice(1)]

  it.effect("standard() is what design and docs say", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* names(base().pipe(ClaudeLayer.standard({ fallback: { models: ["claude-haiku-5-5"] } }))),
        ["telemetry", ...withFallback]
      )
    }))

  it.effect("standard() with every part", () =>
    Effect.gen(function*() {
      const layer = base().pipe(ClaudeLayer.standard({
        alerts: { onAlert: () => Effect.void },
        cache: {},
        completeAnswers: {},
        hedge: {},
        fallback: { models: ["claude-haiku-5-5"], answer: () => "busy" },
        streamRecovery: {},
        usage: {}
      }))
      assert.deepStrictEqual(yield* names(layer), [
        "alerts",
        "telemetry",
        "usage",
        "fallback",
        "cache",
        "deadline",
        "retryBudget",
        "streamRecovery",
        "fallback",
        "completeAnswers",
        "retry",
        "hedge",
        "circuitBreaker",
        "rateLimiter",
        "concurrency",
        "attemptTimeout"
      ])
      assert.strictEqual((yield* using(createMessage, layer)).stop_reason, "end_turn")
    }))

  it.effect("a static answer stands outside of the deadline, the models inside", () =>
    Effect.gen(function*() {
      const answer = () => "busy"
      assert.deepStrictEqual(
        yield* names(base().pipe(ClaudeLayer.standard({ fallback: { models: ["claude-haiku-5-5"], answer } }))),
        ["telemetry", "fallback", ...withFallback]
      )
      assert.deepStrictEqual(
        yield* names(base().pipe(ClaudeLayer.standard({ fallback: { answer } }))),
        ["telemetry", "fallback", ...inner]
      )
    }))

  it.effect("without a deadline the static answer is needed once", () =>
    Effect.gen(function*() {
      const fallback = { models: ["claude-haiku-5-5"], answer: () => "busy" }
      assert.deepStrictEqual(
        yield* names(base().pipe(ClaudeLayer.standard({ deadline: false, fallback }))),
        ["telemetry", ...withFallback.slice(1)]
      )
    }))

  it.effect("the same one by one", () =>
    Effect.gen(function*() {
      const layer = base().pipe(
        ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" }),
        ClaudeLayer.withRetry(),
        ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
        ClaudeLayer.withDeadline("2 minutes"),
        ClaudeLayer.withTelemetry()
      )
      assert.deepStrictEqual(yield* names(layer), ["telemetry", "deadline", "fallback", "retry", "attemptTimeout"])
    }))

  it.effect("each part can be switched off, all of them too", () =>
    Effect.gen(function*() {
      const off = {
        alerts: false,
        attemptTimeout: false,
        cache: false,
        circuitBreaker: false,
        completeAnswers: false,
        concurrency: false,
        deadline: false,
        fallback: false,
        hedge: false,
        rateLimiter: false,
        retry: false,
        retryBudget: false,
        telemetry: false
      } as const
      assert.deepStrictEqual(yield* names(base().pipe(ClaudeLayer.standard(off))), [])
      const { deadline: _, ...withDeadline } = off
      assert.deepStrictEqual(yield* names(base().pipe(ClaudeLayer.standard(withDeadline))), ["deadline"])
      const { retryBudget: _budget, ...withBudget } = off
      assert.deepStrictEqual(yield* names(base().pipe(ClaudeLayer.standard(withBudget))), [], "a budget for nothing")
      assert.deepStrictEqual(
        yield* names(base().pipe(ClaudeLayer.standard({ ...withBudget, streamRecovery: {} }))),
        ["retryBudget", "streamRecovery"]
      )
    }))

  it.effect("keeps what else the base provides, and two pipelines over two bases stay apart", () =>
    Effect.gen(function*() {
      yield* createMessage
      assert.strictEqual((yield* calls).length, 1)
      const policy = ClaudeLayer.standard()
      const [one, two] = yield* Effect.all([
        using(Effect.andThen(createMessage, calls), base().pipe(policy)),
        using(Effect.andThen(Effect.andThen(createMessage, createMessage), calls), base().pipe(policy))
      ])
      assert.deepStrictEqual([one.length, two.length], [1, 2])
    }).pipe((test) => using(test, base().pipe(ClaudeLayer.standard()))))
})

describe("compositions that cannot work", () => {
  it.effect("a retry around a retry, wherever the inner one is", () =>
    Effect.gen(function*() {
      const near = yield* refusal(base().pipe(ClaudeLayer.withRetry(), ClaudeLayer.withRetry()))
      assert.deepStrictEqual([near.outer, near.inner], ["retry", "retry"])
      const far = yield* refusal(base().pipe(ClaudeLayer.standard(), ClaudeLayer.withRetry()))
      assert.include(far.message, "attempts would multiply")
    }))

  it.effect("a timeout longer than the deadline around it names both", () =>
    Effect.gen(function*() {
      const error = yield* refusal(
        base().pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" }),
          ClaudeLayer.withDeadline("30 seconds")
        )
      )
      assert.include(error.message, `"attempt" of withAttemptTimeout (1m)`)
      assert.include(error.message, `"duration" of withDeadline (30s)`)
    }))

  it.effect("a timeout longer than the deadline around it, behind another timeout", () =>
    Effect.gen(function*() {
      const error = yield* refusal(
        base().pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" }),
          ClaudeLayer.withAttemptTimeout({ idle: "5 seconds" }),
          ClaudeLayer.withDeadline("30 seconds")
        )
      )
      assert.include(error.message, `"attempt" of withAttemptTimeout (1m)`)
    }))

  it.effect("a timeout longer than the deadline inside it", () =>
    Effect.gen(function*() {
      const error = yield* refusal(
        base().pipe(
          ClaudeLayer.withDeadline("30 seconds"),
          ClaudeLayer.withAttemptTimeout({ idle: "60 seconds" })
        )
      )
      assert.include(error.message, `"idle"`)
    }))

  it.effect("an attempt timeout around the retry", () =>
    Effect.gen(function*() {
      const error = yield* refusal(
        base().pipe(
          ClaudeLayer.withRetry(),
          ClaudeLayer.withAttemptTimeout({ attempt: "60 seconds" })
        )
      )
      assert.include(error.message, "use withDeadline")
    }))

  const refused: ReadonlyArray<
    readonly [string, ClaudeLayer.Combinator, ClaudeLayer.Combinator, ReadonlyArray<string>]
  > = [
    ["a hedge around a hedge", ClaudeLayer.withHedge(), ClaudeLayer.withHedge(), ["withHedge around another", `"max"`]],
    ["a hedge around a retry", ClaudeLayer.withRetry(), ClaudeLayer.withHedge(), [`"attempts"`, "withHedge before"]],
    [
      "a timeout around the breaker that should hear of it",
      ClaudeLayer.withCircuitBreaker(),
      ClaudeLayer.withAttemptTimeout({ attempt: "1 minute" }),
      ["withAttemptTimeout around withCircuitBreaker"]
    ],
    ["a budget inside the retry", ClaudeLayer.withRetryBudget(), ClaudeLayer.withRetry(), [
      `"capacity"`,
      "withRetryBudget after"
    ]],
    ["a budget inside the hedge", ClaudeLayer.withRetryBudget(), ClaudeLayer.withHedge(), [`"capacity"`]],
    [
      "a retry that an answer keeps from ever being reached",
      ClaudeLayer.withFallback({ answer: () => "busy" }),
      ClaudeLayer.withRetry(),
      [`"answer"`, `"schedule"`]
    ],
    [
      "a fallback around one that always answers",
      ClaudeLayer.withFallback({ answer: () => "busy" }),
      ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
      [`"answer"`, `"targets"`]
    ],
    ...([
      ["a retry", ClaudeLayer.withRetry()],
      ["a hedge", ClaudeLayer.withHedge()],
      ["a circuit breaker", ClaudeLayer.withCircuitBreaker()],
      ["a rate limiter", ClaudeLayer.withRateLimiter()],
      ["a concurrency limit", ClaudeLayer.withConcurrency()],
      ["a timeout of an attempt", ClaudeLayer.withAttemptTimeout({ attempt: "1 minute" })]
    ] as const).map(([name, policy]) =>
      [`${name} around the turns of an answer`, ClaudeLayer.withCompleteAnswers(), policy, [
        "around withCompleteAnswers",
        `"continuations"`
      ]] as const
    ),
    [
      "a recovery of single turns",
      ClaudeLayer.withStreamRecovery(),
      ClaudeLayer.withCompleteAnswers(),
      [`"maxRecoveries"`]
    ],
    ["turns that multiply", ClaudeLayer.withCompleteAnswers(), ClaudeLayer.withCompleteAnswers(), [`"continuations"`]],
    [
      "answers that are judged behind the fallback",
      ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] }),
      ClaudeLayer.withCompleteAnswers(),
      [`"targets"`, `"continuations"`]
    ],
    ["a retry around the recovery of streams", ClaudeLayer.withStreamRecovery(), ClaudeLayer.withRetry(), [
      "withRetry around withStreamRecovery",
      `"attempts"`,
      `"maxRecoveries"`
    ]],
    ["a hedge around the recovery of streams", ClaudeLayer.withStreamRecovery(), ClaudeLayer.withHedge(), [
      "withHedge around withStreamRecovery",
      `"maxRecoveries"`
    ]],
    [
      "a timeout of one attempt around all parts of a stream",
      ClaudeLayer.withStreamRecovery(),
      ClaudeLayer.withAttemptTimeout({ stream: "1 minute" }),
      ["withAttemptTimeout around withStreamRecovery", "withDeadline"]
    ],
    ["a recovery of streams around another one", ClaudeLayer.withStreamRecovery(), ClaudeLayer.withStreamRecovery(), [
      "withStreamRecovery around another withStreamRecovery",
      `"maxRecoveries"`
    ]],
    ["a retry around the cache", ClaudeLayer.withCache(), ClaudeLayer.withRetry(), [`"schedule"`, `"staleFor"`]],
    ["a cache around a cache", ClaudeLayer.withCache(), ClaudeLayer.withCache(), [`"capacity"`]],
    [
      "a probe that loses its place within its time",
      ClaudeLayer.withAttemptTimeout({ attempt: "2 minutes" }),
      ClaudeLayer.withCircuitBreaker({ probeLease: "1 minute" }),
      [`"attempt" of withAttemptTimeout (2m)`, `"probeLease" of withCircuitBreaker (1m)`]
    ],
    [
      "a probe that is a stream and loses its place before its first event",
      ClaudeLayer.withAttemptTimeout({ firstEvent: "2 minutes" }),
      ClaudeLayer.withCircuitBreaker({ probeLease: "1 minute" }),
      [`"firstEvent" of withAttemptTimeout (2m)`, `"probeLease" of withCircuitBreaker (1m)`]
    ],
    [
      "a probe that is a stream and loses its place before the end that shows it is good",
      ClaudeLayer.withAttemptTimeout({ stream: "5 minutes" }),
      ClaudeLayer.withCircuitBreaker({ probeLease: "1 minute", goodProbeAt: "end" }),
      [`"stream" of withAttemptTimeout (5m)`, `"probeLease" of withCircuitBreaker (1m)`]
    ],
    [
      "a window shorter than a call",
      ClaudeLayer.withAttemptTimeout({ attempt: "2 minutes" }),
      ClaudeLayer.withCircuitBreaker({ ratio: { threshold: 0.5, window: "30 seconds" }, probeLease: "2 minutes" }),
      [`"attempt" of withAttemptTimeout (2m)`, `"window" of withCircuitBreaker (30s)`]
    ],
    [
      "a hedge that can never start",
      ClaudeLayer.withAttemptTimeout({ attempt: "5 seconds" }),
      ClaudeLayer.withHedge({ delay: "6 seconds" }),
      [`"delay" of withHedge (6s)`, `"attempt" of withAttemptTimeout (5s)`]
    ],
    [
      "a hedge after the deadline",
      ClaudeLayer.withHedge({ delay: "1 minute" }),
      ClaudeLayer.withDeadline("30 seconds"),
      [`"delay" of withHedge (1m)`, `"duration" of withDeadline (30s)`]
    ]
  ]
  for (const [name, first, second, words] of refused) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const { message } = yield* refusal(base().pipe(first, second))
        for (const word of words) assert.include(message, word)
      }))
  }

  it.effect("a stream may take longer than the lease of a probe that is good at its first content", () =>
    Effect.gen(function*() {
      const exit = yield* build(
        base().pipe(
          ClaudeLayer.withAttemptTimeout({ stream: "5 minutes" }),
          ClaudeLayer.withCircuitBreaker({ probeLease: "1 minute" })
        )
      )
      assert.isTrue(Exit.isSuccess(exit))
    }))

  it.effect("a fallback around one that answers what it was told to, or behind a deadline, can be reached", () =>
    Effect.gen(function*() {
      const answer = () => "busy"
      const models = ["claude-haiku-5-5"]
      const reachable = [
        base().pipe(
          ClaudeLayer.withFallback({ answer, shouldFallback: ["RefusalError"] }),
          ClaudeLayer.withFallback({ models })
        ),
        base().pipe(
          ClaudeLayer.withFallback({ answer }),
          ClaudeLayer.withDeadline("1 minute"),
          ClaudeLayer.withFallback({ models })
        )
      ]
      for (const layer of reachable) assert.isTrue(Exit.isSuccess(yield* build(layer)))
    }))

  it.effect("standard() with a timeout of one's own over a deadline of one's own", () =>
    Effect.gen(function*() {
      const error = yield* refusal(
        base().pipe(ClaudeLayer.standard({ deadline: "30 seconds", attemptTimeout: { attempt: "31 seconds" } }))
      )
      assert.include(error.message, `"attempt"`)
    }))

  it.effect("standard() fits the timeouts that were not given into the deadline", () =>
    Effect.gen(function*() {
      const exit = yield* build(base().pipe(ClaudeLayer.standard({ deadline: "5 seconds" })))
      assert.isTrue(Exit.isSuccess(exit))
      const preset = yield* build(
        base().pipe(ClaudeLayer.standard({ deadline: "45 seconds", attemptTimeout: ClaudeLayer.shortQuestion }))
      )
      assert.isTrue(Exit.isSuccess(preset))
      const wholeSmall = yield* build(base().pipe(ClaudeLayer.standard({ attemptTimeout: { stream: "2 seconds" } })))
      assert.isTrue(Exit.isSuccess(wholeSmall))
    }))
})

describe("options that make no sense", () => {
  const wrong: ReadonlyArray<readonly [string, () => ClaudeLayer.Combinator, RegExp]> = [
    ["no timeout at all", () => ClaudeLayer.withAttemptTimeout({}), /at least one of "headers"/],
    ["a negative timeout", () => ClaudeLayer.withAttemptTimeout({ attempt: -1 }), /"attempt".*longer than zero/],
    [
      "a first event after the end",
      () => ClaudeLayer.withAttemptTimeout({ firstEvent: "2 seconds", attempt: "1 second" }),
      /"firstEvent".*"attempt"/
    ],
    [
      "a silence longer than the stream",
      () => ClaudeLayer.withAttemptTimeout({ idle: "2 seconds", stream: "1 second" }),
      /"idle".*"stream"/
    ],
    [
      "headers after the end",
      () => ClaudeLayer.withAttemptTimeout({ headers: "2 seconds", attempt: "1 second" }),
      /"headers".*"attempt"/
    ],
    ["a deadline of zero", () => ClaudeLayer.withDeadline(0), /"duration"/],
    ["a deadline that is no duration", () => ClaudeLayer.withDeadline("soon" as never), /"duration".*soon/],
    [
      "a budget that pays for nothing",
      () => ClaudeLayer.standard({ retry: false, retryBudget: { capacity: 100 } }),
      /"retryBudget".*"retry"/
    ],
    [
      "standard() with a negative deadline",
      () => ClaudeLayer.standard({ deadline: "-1 second" as never }),
      /"deadline"/
    ]
  ]
  for (const [name, make, message] of wrong) {
    it(name, () => assert.throws(make, RangeError, message))
  }
})

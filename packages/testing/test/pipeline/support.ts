import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import type { Duration } from "effect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

export const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

export const createMessage = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))

export const streamEvents = Effect.flatMap(ClaudeService, (claude) => Stream.runCollect(claude.streamMessage(request)))

/** The calls that reached the script, and when, in milliseconds of virtual time. */
export const calls = Effect.flatMap(ClaudeTest.ClaudeTest, (script) => script.calls)

/** Runs a call while virtual time passes, and tells how it ended and how long that took. */
export const runFor = <A, R>(call: Effect.Effect<A, ClaudeError, R>, time: Duration.Duration | string) =>
  Effect.gen(function*() {
    const start = yield* Clock.currentTimeMillis
    let end = start
    const fiber = yield* call.pipe(
      Effect.ensuring(Effect.map(Clock.currentTimeMillis, (now) => {
        end = now
      })),
      Effect.result,
      Effect.forkChild
    )
    yield* TestClock.adjust(time as Duration.Input)
    const result = yield* Fiber.join(fiber)
    return { result, millis: end - start }
  })

/** Builds the layer for one test, so that nothing is shared between tests. */
export const using = <A, E, R, LA, LE>(effect: Effect.Effect<A, E, R>, layer: Layer.Layer<LA, LE>) =>
  Effect.provide(effect, layer, { local: true })

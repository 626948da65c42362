/**
 * Everything that happens to calls of Claude, as one stream: calls that start and end, attempts that fail, and what the
 * policies decide.
 *
 * **Details**
 *
 * `ClaudeLayer.withTelemetry` publishes to the hub it finds, either where its layer is built or where a call is made. Without a
 * hub no event is kept, and those of policies that nobody listens to are not even built. The hub is bounded: a subscriber that
 * falls behind loses the oldest events and never slows a call down.
 *
 * No event holds anything of a prompt, an answer or a key.
 *
 * **Example** (Watching calls)
 *
 * ```ts
 * import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Fiber from "effect/Fiber"
 * import * as Layer from "effect/Layer"
 * import * as Schedule from "effect/Schedule"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("Hello!")]).pipe(
 *   ClaudeLayer.withRetry(Schedule.recurs(2)),
 *   ClaudeLayer.withTelemetry(),
 *   Layer.provideMerge(ClaudeEvents.layer())
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const watching = yield* ClaudeEvents.stream.pipe(
 *     Stream.map(({ event }) => event._tag),
 *     Stream.takeUntil((tag) => tag === "CallEnded"),
 *     Stream.runCollect,
 *     Effect.forkChild({ startImmediately: true })
 *   )
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return yield* Fiber.join(watching)
 * })
 *
 * const seen = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual(seen, ["CallStarted", "AttemptFailed", "RetryScheduled", "CallEnded"])
 * ```
 *
 * @since 0.1.0
 */
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { ClaudeErrorTag } from "./ClaudeError.ts"

/**
 * What happens to a call beside what policies decide.
 *
 * **Details**
 *
 * - `CallStarted`: the program made a call;
 * - `AttemptFailed`: a request that was sent failed. `verdict` is the kind of retry it asks for, or `stop`;
 * - `CallEnded`: the call is over. `attempts` counts the requests sent for it; `source` says who answered, as
 *   `AnswerInfo.Source` does, and `error` what it failed with. A defect has neither.
 *
 * @category models
 * @since 0.1.0
 */
export type CallEvent =
  | { readonly _tag: "CallStarted" }
  | {
    readonly _tag: "AttemptFailed"
    readonly attempt: number
    readonly model: string
    readonly error: ClaudeErrorTag
    readonly verdict: string
    readonly requestId?: string
    readonly status?: number
  }
  | {
    readonly _tag: "CallEnded"
    readonly outcome: "success" | "failure" | "interrupted"
    readonly duration: Duration.Duration
    readonly attempts: number
    readonly source?: string
    readonly error?: ClaudeErrorTag
    readonly requestId?: string
  }

/**
 * An event, and the call it belongs to.
 *
 * **Details**
 *
 * `callId` is the same for all events of a call and grows from call to call within a process; `model` is the model that the
 * program asked for; `at` is milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeEvent {
  readonly at: number
  readonly callId: number
  readonly operation: "chat" | "count_tokens"
  readonly model: string
  readonly event: CallEvent | ResilienceEvent
}

/**
 * The hub of events.
 *
 * @category services
 * @since 0.1.0
 */
export class ClaudeEvents extends Context.Service<ClaudeEvents, {
  /** The events from the moment on that the stream runs. */
  readonly stream: Stream.Stream<ClaudeEvent>
  /** Publishes an event at once, without ever waiting for a subscriber. */
  readonly publishUnsafe: (event: ClaudeEvent) => void
}>()("@effect-claude/client/ClaudeEvents") {}

/**
 * A hub that keeps up to `capacity` events (1024) for subscribers that are behind. Throws a `RangeError` for a capacity that is
 * no positive whole number.
 *
 * **Example** (Keeping more events)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   ClaudeLayer.standard(),
 *   Layer.provideMerge(ClaudeEvents.layer({ capacity: 10_000 }))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: { readonly capacity?: number | undefined } = {}): Layer.Layer<ClaudeEvents> => {
  const capacity = options.capacity ?? 1024
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw OptionCheck.refuse("ClaudeEvents.layer", "capacity", "a whole number of at least 1", capacity)
  }
  return Layer.effect(
    ClaudeEvents,
    Effect.map(
      Effect.acquireRelease(PubSub.sliding<ClaudeEvent>(capacity), PubSub.shutdown),
      (hub) => ({
        stream: Stream.fromPubSub(hub),
        publishUnsafe: (event) => {
          PubSub.publishUnsafe(hub, event)
        }
      })
    )
  )
}

/**
 * The events of the hub in the context, from the moment on that the stream runs.
 *
 * **Example** (Counting what policies decide)
 *
 * ```ts
 * import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const logTransitions = ClaudeEvents.stream.pipe(
 *   Stream.filter(({ event }) => event._tag === "CircuitOpened" || event._tag === "CircuitClosed"),
 *   Stream.runForEach(({ event, model }) => Effect.logWarning(event._tag, { model }))
 * )
 * const program = Effect.forkScoped(logTransitions).pipe(Effect.provide(ClaudeEvents.layer()))
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const stream: Stream.Stream<ClaudeEvent, never, ClaudeEvents> = Stream.unwrap(
  Effect.map(ClaudeEvents, (events) => events.stream)
)

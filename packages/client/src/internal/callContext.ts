import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { ClaudeError } from "../ClaudeError.ts"
import type { CallEvent } from "../ClaudeEvents.ts"
import type { CallOptions, MessageRequest } from "../ClaudeService.ts"
import type { MessageEvent } from "../MessageEvents.ts"
import type { Meter } from "./telemetry/Meter.ts"
import type { Book } from "./usage/Book.ts"
import type { BudgetMeter } from "./usage/BudgetMeter.ts"
import type { CallUsage } from "./usage/CallUsage.ts"

/**
 * The last failure of an attempt within a call. A deadline layer opens the record and tells it in its own error; the layer
 * that owns the attempts writes to it, and to those of the deadlines around it.
 */
export interface FailureRecord {
  last: ClaudeError | undefined
  readonly outer: FailureRecord | undefined
}

export const LastFailure = Context.Reference<FailureRecord | undefined>("@effect-claude/client/internal/LastFailure", {
  defaultValue: () => undefined
})

/**
 * What watches each attempt of a call: set by the telemetry layer outside, applied where an attempt begins, so that a span of
 * the call can have a child for each attempt wherever the two stand. The innermost telemetry layer watches.
 */
export interface AttemptObserver {
  readonly effect: <A>(
    fiber: Fiber.Fiber<unknown, unknown>,
    model: string,
    effect: Effect.Effect<A, ClaudeError>
  ) => Effect.Effect<A, ClaudeError>
  readonly stream: (
    fiber: Fiber.Fiber<unknown, unknown>,
    model: string,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ) => Stream.Stream<MessageEvent, ClaudeError>
  /** What keeps the metrics of this layer, or of one around it: a layer inside does not count a call again. */
  readonly meter: Meter | undefined
  /** Publishes an event of the call, unless there is no hub to publish to. A layer inside leaves it to this one. */
  readonly publish: ((event: CallEvent) => void) | undefined
  /** Hears of each attempt, those that a layer inside watches too. */
  readonly noteAttempt: () => void
  /** Whether this failure has been logged, or counted, already; from now on it has. */
  readonly logsFirst: (error: ClaudeError) => boolean
  readonly countsFirst: (error: ClaudeError) => boolean
}

export const CurrentAttemptObserver = Context.Reference<AttemptObserver | undefined>(
  "@effect-claude/client/internal/CurrentAttemptObserver",
  { defaultValue: () => undefined }
)

/**
 * Hears how each attempt ended: with nothing, or with an error. Set by the alerts. Attempts that were interrupted are left out,
 * and those for which nothing was sent.
 */
export type AttemptListener = (fiber: Fiber.Fiber<unknown, unknown>, error: ClaudeError | undefined) => void

export const CurrentAttemptListener = Context.Reference<AttemptListener | undefined>(
  "@effect-claude/client/internal/CurrentAttemptListener",
  { defaultValue: () => undefined }
)

/**
 * What is around an attempt that counts what it uses: a call of a usage ledger, or a region with budgets or a ledger of its own.
 * Applied where an attempt begins, around everything else of it: what a budget does not allow is no attempt.
 */
export interface UsageScope {
  readonly effect: (
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    effect: Effect.Effect<Message, ClaudeError>
  ) => Effect.Effect<Message, ClaudeError>
  readonly stream: (
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ) => Stream.Stream<MessageEvent, ClaudeError>
  /** What the hedging says of an attempt before it interrupts it: that another one has settled the call. */
  readonly hedgeLost: (model: string, attempt: number, hedge: number) => void
  /**
   * What asks for more of an answer says before it does: that the next attempt continues what the last one brought, which is
   * kept, or makes the answer anew, so that nothing is.
   */
  readonly goesOn: (how: "continue" | "restart") => void
  /** The call that this is in, if it is in one. */
  readonly call: CallUsage | undefined
  /** The budgets that attempts in here draw on, those around included. */
  readonly budgets: ReadonlyArray<BudgetMeter>
  /** The ledgers of regions that no call has taken up yet. */
  readonly books: ReadonlyArray<Book>
  /** The key that a region has set. */
  readonly key: string | undefined
}

export const CurrentUsageScope = Context.Reference<UsageScope | undefined>(
  "@effect-claude/client/internal/CurrentUsageScope",
  { defaultValue: () => undefined }
)

/**
 * Hears of each piece of a streamed answer that the client reads, whether or not it completes an event. Set by the attempt
 * timeout, for which a piece is a sign of life.
 */
export const NoteBytes = Context.Reference<() => void>("@effect-claude/client/internal/NoteBytes", {
  defaultValue: () => () => {}
})

/**
 * What a policy that makes calls wait runs before it lets one through that had to: the circuit may have opened meanwhile.
 * Failing gives back what was taken. Set by the circuit breaker, for what is inside of it.
 */
export const CurrentGate = Context.Reference<Effect.Effect<void, ClaudeError> | undefined>(
  "@effect-claude/client/internal/CurrentGate",
  { defaultValue: () => undefined }
)

/**
 * Whether somebody further out would rather ask another target than have this one waited for: then what a policy turned
 * away fails at once. Set by the fallback, for all of its targets but the last.
 */
export const RejectionsFallThrough = Context.Reference<boolean>(
  "@effect-claude/client/internal/RejectionsFallThrough",
  { defaultValue: () => false }
)

/** A good answer from before, and how old it is. */
export interface CachedAnswer {
  readonly message: Message
  readonly age: Duration.Duration
}

/** Where the last good answer to a request may be found; set by the cache, for a fallback inside of it. */
export interface AnswerLookup {
  readonly lookup: (
    request: MessageRequest,
    call: CallOptions | undefined
  ) => Effect.Effect<Option.Option<CachedAnswer>>
}

export const CurrentAnswerCache = Context.Reference<AnswerLookup | undefined>(
  "@effect-claude/client/internal/CurrentAnswerCache",
  { defaultValue: () => undefined }
)

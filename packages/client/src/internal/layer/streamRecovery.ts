import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import { emit, isHeard, type ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import * as Retry from "@effect-claude/resilience/Retry"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError, PartialAnswer } from "../../ClaudeError.ts"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import { isContent, isPing, type MessageEvent } from "../../MessageEvents.ts"
import { CurrentUsageScope, RejectionsFallThrough } from "../callContext.ts"
import { withPartial } from "../errorCopy.ts"
import { continuationOf, hasOutputFormat, takesPrefill, type Way } from "../stream/continuation.ts"
import { type Beginning, JoinedAnswer } from "../stream/JoinedAnswer.ts"
import { joinedStream, type NextPart } from "../stream/joinedStream.ts"
import { isServerTool, isThinking, type Kept, keptOf } from "../stream/resumable.ts"
import { shouldFallbackByDefault } from "./fallback.ts"
import { adaptRequest } from "./fallback/adaptRequest.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"
import { retrySchedule } from "./retry.ts"

/**
 * What becomes of a stream that breaks off after it has shown something.
 *
 * **Details**
 *
 * - `continue`: the model goes on where it stopped, and the consumer gets one answer
 * - `restart`: the answer is taken back with a `restart` event and made anew
 * - `surface`: the stream fails with what had arrived
 *
 * @category models
 * @since 0.1.0
 */
export type RecoveryMode = "continue" | "restart" | "surface"

/**
 * A stream that broke off: the failure, what the consumer has of the answer, the request, and how many parts there were.
 *
 * @category models
 * @since 0.1.0
 */
export interface BrokenStream {
  readonly error: ClaudeError
  readonly partial: PartialAnswer
  readonly request: MessageRequest
  readonly part: number
}

/**
 * Options of `withStreamRecovery`, which describes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamRecoveryOptions {
  readonly mode?: RecoveryMode | ((broken: BrokenStream) => RecoveryMode) | undefined
  readonly maxRecoveries?: number | undefined
  readonly schedule?: Schedule.Schedule<unknown, ClaudeError> | undefined
  readonly models?: ReadonlyArray<string> | undefined
  readonly tools?: "whileStreaming" | "afterAnswer" | undefined
}

const owner = "ClaudeLayer.withStreamRecovery"

const modes: ReadonlyArray<unknown> = ["continue", "restart", "surface"]
const toolUses: ReadonlyArray<unknown> = ["whileStreaming", "afterAnswer"]

const check = (options: StreamRecoveryOptions) => {
  const { mode = "continue", models = [], tools = "whileStreaming" } = options
  if (typeof mode !== "function" && !modes.includes(mode)) {
    throw OptionCheck.refuse(owner, "mode", `one of ${modes.join(", ")}, or a function`, mode)
  }
  if (!toolUses.includes(tools)) throw OptionCheck.refuse(owner, "tools", `one of ${toolUses.join(", ")}`, tools)
  if (models.some((model) => typeof model !== "string" || model.trim() === "")) {
    throw OptionCheck.refuse(owner, "models", "names of models", models)
  }
  const maxRecoveries = OptionCheck.attempts(owner, "maxRecoveries", options.maxRecoveries ?? 3)
  return { mode, models, tools, maxRecoveries, schedule: options.schedule ?? ClaudeSchedule.standard }
}

type Checked = ReturnType<typeof check>

/** Why a failure is surfaced. */
type Refusal = Extract<ResilienceEvent, { readonly _tag: "StreamSurfaced" }>["reason"]

/** What to do about a stream that broke off. */
type Plan =
  | { readonly _tag: "Restart" }
  | { readonly _tag: "Continue"; readonly kept: Kept }
  | { readonly _tag: "Surface"; readonly reason: Refusal }

const surface = (reason: Refusal): Plan => ({ _tag: "Surface", reason })

/** Whether a thread that is kept at the API was continued by this request, which can be done once. */
const isOnThread = (request: MessageRequest): boolean => {
  const { thread } = request as { readonly thread?: unknown }
  return thread !== undefined && thread !== null
}

const planFor = ({ error, partial, part, request }: BrokenStream, { maxRecoveries, mode, tools }: Checked): Plan => {
  if (error.verdict._tag === "Stop") return surface("verdict")
  const asked = typeof mode === "function" ? mode({ error, partial, part, request }) : mode
  if (asked === "surface") return surface("mode")
  if (part > maxRecoveries) return surface("limit")
  if (isOnThread(request)) return surface("request")
  const finished = (partial.message?.content ?? []).filter((_, position) =>
    partial.unfinished?.includes(position) !== true
  )
  // Who runs tools as they come may have run this one, and another answer would have it run again.
  if (tools === "whileStreaming" && finished.some(({ type }) => type === "tool_use")) return surface("tools")
  const kept = asked === "continue" ? keptOf(partial) : undefined
  // The API has run these, and what they did would be done again.
  if (kept === undefined) return finished.some(isServerTool) ? surface("tools") : { _tag: "Restart" }
  return hasOutputFormat(request) && kept.blocks.length > 0 ? surface("request") : { _tag: "Continue", kept }
}

/** Without the thoughts of a model that answered in the place of the one that was asked: a signature is good for its own model. */
const fitting = (kept: Kept, { message }: PartialAnswer): Kept =>
  message === undefined || AnswerInfo.of(message).source._tag === "Requested"
    ? kept
    : { ...kept, blocks: kept.blocks.filter((block) => !isThinking(block)) }

/** Turns of one recovery: whom to ask for the next part, and how. */
class Recovery {
  readonly plan: Exclude<Plan, { readonly _tag: "Surface" }>
  private readonly broken: BrokenStream
  private readonly models: ReadonlyArray<string>
  private position = 0
  private way: Way | undefined

  constructor(broken: BrokenStream, plan: Exclude<Plan, { readonly _tag: "Surface" }>, models: ReadonlyArray<string>) {
    this.broken = broken
    this.plan = plan
    this.models = models
  }

  get model(): string {
    return this.models[this.position] ?? this.broken.request.model
  }

  get hasMore(): boolean {
    return this.position + 1 < this.models.length
  }

  get mode(): "continue" | "restart" {
    return this.plan._tag === "Continue" ? "continue" : "restart"
  }

  get beginning(): Exclude<Beginning, { readonly _tag: "First" }> {
    const { error } = this.broken
    return this.plan._tag === "Restart"
      ? { _tag: "Restart", error }
      : { _tag: "Continue", kept: this.plan.kept, way: this.way ?? "message", error }
  }

  /** The request of the model whose turn it is; `undefined` if that model cannot take it. */
  request(): MessageRequest | undefined {
    const { request } = this.broken
    let next = request
    if (this.plan._tag === "Continue") {
      this.way ??= takesPrefill(request, this.model, this.plan.kept) ? "prefill" : "message"
      next = continuationOf(request, fitting(this.plan.kept, this.broken.partial), this.way)
    }
    if (this.model === request.model) return next
    const adapted = adaptRequest(next, { model: this.model, adaptation: {}, isOtherService: false, streamed: true })
    return "reason" in adapted ? undefined : adapted.request
  }

  /** Whether somebody is left to ask after this failure, or another way to ask. */
  next(error: ClaudeError): boolean {
    if (this.way === "prefill" && error._tag === "InvalidRequestError") {
      this.way = "message"
      return true
    }
    if (!shouldFallbackByDefault(error) || !this.hasMore) return false
    this.position += 1
    this.way = undefined
    return true
  }
}

export const streamRecovery = (given: StreamRecoveryOptions): PolicyLayer => {
  const options = check(given)
  const { maxRecoveries, mode, models, tools } = options
  const schedule = retrySchedule(options.schedule)

  const recovered = (
    fiber: Fiber.Fiber<unknown, unknown>,
    open: (request: MessageRequest, hasMore: boolean) => Stream.Stream<MessageEvent, ClaudeError>,
    request: MessageRequest
  ): Stream.Stream<MessageEvent, ClaudeError> => {
    const answer = new JoinedAnswer(request.model)
    const ledger = fiber.getRef(CurrentUsageScope)
    let recovery: Recovery | undefined
    // Whoever wrote last is asked first.
    let writers: ReadonlyArray<string> = [request.model, ...models.filter((model) => model !== request.model)]

    const surfaced = (error: ClaudeError, reason: Refusal): NextPart => {
      if (isHeard(fiber)) emit(fiber, { _tag: "StreamSurfaced", part: answer.partCount - 1, error: error._tag, reason })
      // The first part's own failure knows all there is.
      const knowsAll = answer.isFirstPart && error.partial !== undefined
      return { _tag: "Fail", error: knowsAll ? error : withPartial(error, answer.partial) }
    }

    /** The next part, of the first model that can take it. */
    const ask = (turn: Recovery, error: ClaudeError): NextPart => {
      for (;;) {
        const next = turn.request()
        if (next !== undefined) {
          answer.begin(turn.beginning)
          return { _tag: "Open", stream: open(next, turn.hasMore) }
        }
        if (!turn.next(error)) return surfaced(error, "request")
      }
    }

    const again = (error: ClaudeError, turn: Recovery): Effect.Effect<NextPart, ClaudeError> => {
      const { mode } = turn
      const waiting = isHeard(fiber)
        ? Schedule.tap(schedule, ({ duration }) =>
          Effect.sync(() =>
            emit(fiber, {
              _tag: "StreamRecoveryScheduled",
              mode,
              part: answer.partCount,
              error: error._tag,
              wait: duration
            })
          ))
        : schedule
      return Effect.flatMap(Schedule.toStepWithMetadata(waiting), (step) =>
        Pull.matchEffect(step(error), {
          onSuccess: () => Effect.sync(() => ask(turn, error)),
          onFailure: (cause) => {
            const unpaid = Cause.hasDies(cause) ? Option.none() : Cause.findErrorOption(cause)
            return Option.isNone(unpaid) ? Effect.failCause(cause) : Effect.succeed(surfaced(unpaid.value, "budget"))
          },
          onDone: () => Effect.succeed(surfaced(error, "schedule"))
        }))
    }

    const afterFailure = (error: ClaudeError): Effect.Effect<NextPart, ClaudeError> => {
      if (answer.isSilent) {
        // Retries before anything was shown are over: those of the schedule here, or of the retry inside.
        if (recovery === undefined) return Effect.succeed({ _tag: "Fail", error })
        return Effect.succeed(recovery.next(error) ? ask(recovery, error) : surfaced(error, "schedule"))
      }
      const end = answer.missingEnd
      if (end !== undefined) {
        ledger?.goesOn("continue")
        return Effect.succeed({ _tag: "End", events: end })
      }
      const part = answer.partCount
      const writer = recovery?.model
      if (writer !== undefined) writers = writers.slice(writers.indexOf(writer))
      answer.fail(error)
      const broken: BrokenStream = { error, partial: answer.partial, request, part }
      const plan = planFor(broken, options)
      if (plan._tag === "Surface") return Effect.succeed(surfaced(error, plan.reason))
      recovery = new Recovery(broken, plan, writers)
      ledger?.goesOn(recovery.mode)
      return again(error, recovery)
    }

    return joinedStream(open(request, false), {
      admit: (events) => {
        const wasSilent = answer.isSilent
        const out = answer.admit(events)
        if (wasSilent && !answer.isSilent && recovery !== undefined && isHeard(fiber)) {
          emit(fiber, { _tag: "StreamRecovered", mode: recovery.mode, part: answer.partCount })
        }
        return out
      },
      next: afterFailure
    })
  }

  return stateless({
    name: "streamRecovery",
    options: {
      mode,
      maxRecoveries,
      schedule: options.schedule,
      tools,
      ...(models.length === 0 ? undefined : { models })
    },
    wrap: (inner) => {
      const retriesInside = inner.policies?.some(({ name }) => name === "retry") === true
      const opened = (call: CallOptions | undefined) => (request: MessageRequest, hasMore: boolean) => {
        const stream = inner.streamMessage(request, call)
        const retried = retriesInside
          ? stream
          : Retry.retryStream(stream, { schedule, isContent, isTransparent: isPing })
        // A circuit that is open is not waited for while another model may be asked.
        return hasMore ? Stream.provideService(retried, RejectionsFallThrough, true) : retried
      }
      const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
        Stream.unwrap(Effect.withFiber((fiber) => Effect.succeed(recovered(fiber, opened(call), request))))
      return { createMessage: inner.createMessage, countTokens: inner.countTokens, streamMessage }
    }
  })
}

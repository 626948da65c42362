import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import { CurrentHedge } from "@effect-claude/resilience/Hedge"
import { CurrentListener, type Listener, type ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as AnswerInfo from "../../AnswerInfo.ts"
import { type ClaudeError, isAnswerError } from "../../ClaudeError.ts"
import { type CallEvent, ClaudeEvents } from "../../ClaudeEvents.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { type AttemptObserver, CurrentAttemptObserver } from "../callContext.ts"
import { originOf } from "../errorCopy.ts"
import { answeringModel, sourceKind, sourceName, tokenUsage } from "./answerFacts.ts"
import {
  attemptAttributes,
  failureAttributes,
  logged,
  messageAttributes,
  type RequestFacts,
  verdictName
} from "./attributes.ts"
import type { Meter, Outcome } from "./Meter.ts"
import { annotate, type SpanFacts, type Watched, watchEffect, watchStream } from "./watch.ts"

/** What a telemetry layer gives out, and where to. */
export interface Telemetry {
  readonly spans: boolean
  readonly logs: boolean
  readonly meter: Meter | undefined
  readonly hub: ClaudeEvents["Service"] | undefined
}

let lastCallId = 0

const log = (error: ClaudeError): Effect.Effect<void> => {
  const line = error.verdict._tag === "Stop" ? Effect.logError : Effect.logWarning
  return line("Claude call failed", logged(error))
}

const isFirst = (seen: WeakSet<ClaudeError>, error: ClaudeError): boolean => {
  const origin = originOf(error)
  if (seen.has(origin)) return false
  seen.add(origin)
  return true
}

/** The answer that a failure lies in. It was given, and is paid for. */
const answerIn = (error: ClaudeError | undefined): Message | undefined =>
  error !== undefined && isAnswerError(error) ? error.partial?.message : undefined

const unchanged = (context: Context.Context<never>): Context.Context<never> => context

/** The telemetry of one call, from its start to its end. */
export class CallWatch implements AttemptObserver {
  readonly meter: Meter | undefined
  readonly publish: ((event: CallEvent) => void) | undefined
  private readonly telemetry: Telemetry
  private readonly facts: RequestFacts
  private readonly span: Tracer.Span | undefined
  private readonly context: Context.Context<never>
  private readonly clock: Clock.Clock
  private readonly startedAt: number
  private readonly outer: AttemptObserver | undefined
  private readonly outerListener: Listener | undefined
  /** Of the layers around a call the outermost counts and publishes it; the innermost counts its attempts. */
  private readonly countsCall: boolean
  private readonly hub: ClaudeEvents["Service"] | undefined
  private readonly id: number
  private attempts = 0
  private waited = 0
  private queued = 0
  private joined = false
  private loggedErrors: WeakSet<ClaudeError> | undefined
  private countedErrors: WeakSet<ClaudeError> | undefined

  constructor(
    telemetry: Telemetry,
    fiber: Fiber.Fiber<unknown, unknown>,
    facts: RequestFacts,
    span: Tracer.Span | undefined
  ) {
    const outer = fiber.getRef(CurrentAttemptObserver)
    this.telemetry = telemetry
    this.facts = facts
    this.span = span
    this.context = fiber.context
    this.clock = fiber.getRef(Clock.Clock)
    this.startedAt = this.now()
    this.outer = outer
    this.outerListener = fiber.getRef(CurrentListener)
    this.meter = telemetry.meter ?? outer?.meter
    this.countsCall = telemetry.meter !== undefined && outer?.meter === undefined
    this.hub = outer?.publish === undefined
      ? telemetry.hub ?? Context.getOrUndefined(fiber.context, ClaudeEvents)
      : undefined
    this.publish = this.hub === undefined ? outer?.publish : (event) => this.publishTo(this.hub, event)
    this.id = this.hub === undefined ? 0 : ++lastCallId
    if (this.countsCall) this.meter?.callStarted(this.context)
    this.publishTo(this.hub, { _tag: "CallStarted" })
  }

  /** The context of what is inside of the call. */
  readonly provide = (context: Context.Context<never>): Context.Context<never> => {
    const observed = Context.add(context, CurrentAttemptObserver, this)
    const heard = this.isHeard ? Context.add(observed, CurrentListener, this.hear) : observed
    return this.span === undefined ? heard : Context.add(heard, Tracer.ParentSpan, this.span)
  }

  effect<A>(
    fiber: Fiber.Fiber<unknown, unknown>,
    model: string,
    effect: Effect.Effect<A, ClaudeError>
  ): Effect.Effect<A, ClaudeError> {
    const span = this.attemptStarted(fiber, model)
    const attempt = fiber.getRef(CurrentAttempt)
    if (span === undefined) {
      return Effect.tapError(effect, (error) => this.attemptFailed(model, attempt, error) ?? Effect.void)
    }
    return watchEffect(fiber, span, (span) => this.watchedAttempt(effect, model, attempt, span))
  }

  stream(
    fiber: Fiber.Fiber<unknown, unknown>,
    model: string,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ): Stream.Stream<MessageEvent, ClaudeError> {
    const span = this.attemptStarted(fiber, model)
    const attempt = fiber.getRef(CurrentAttempt)
    if (span === undefined) {
      return Stream.tapError(stream, (error) => this.attemptFailed(model, attempt, error) ?? Effect.void)
    }
    return watchStream(span, (span) => this.watchedAttempt(stream, model, attempt, span))
  }

  /** The first event of a stream that says something has come. */
  firstChunk(): void {
    const millis = this.now() - this.startedAt
    if (this.countsCall) this.meter?.firstChunk(this.context, this.facts.model, millis)
    this.span?.attribute("gen_ai.response.time_to_first_chunk", millis / 1000)
  }

  /** The end of the call, and what there was of an answer. */
  ended(exit: Exit.Exit<unknown, ClaudeError>, answer: Message | undefined): Effect.Effect<void> | undefined {
    const error = Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    const outcome: Outcome = Exit.isSuccess(exit)
      ? "success"
      : Cause.hasInterruptsOnly(exit.cause)
      ? "interrupted"
      : "failure"
    const millis = this.now() - this.startedAt
    const failed = answerIn(error)
    if (this.countsCall) this.countCall(outcome, millis, error, failed ?? answer)
    if (this.hub !== undefined) this.publishEnd(outcome, millis, error, answer)
    if (error === undefined) return undefined
    if (this.span !== undefined) {
      if (failed !== undefined) annotate(this.span, messageAttributes(failed, this.facts.model))
      annotate(this.span, failureAttributes(error))
    }
    return this.noteFailure(this.facts.model, error)
  }

  logsFirst(error: ClaudeError): boolean {
    if (this.outer !== undefined) return this.outer.logsFirst(error)
    this.loggedErrors ??= new WeakSet()
    return isFirst(this.loggedErrors, error)
  }

  countsFirst(error: ClaudeError): boolean {
    if (this.outer !== undefined) return this.outer.countsFirst(error)
    this.countedErrors ??= new WeakSet()
    return isFirst(this.countedErrors, error)
  }

  noteAttempt(): void {
    this.attempts += 1
    this.outer?.noteAttempt()
  }

  private get isHeard(): boolean {
    return this.span !== undefined || this.countsCall || this.hub !== undefined
  }

  private readonly hear = (event: ResilienceEvent): void => {
    if (event._tag === "RetryScheduled") this.waited += Duration.toMillis(event.wait)
    else if (event._tag === "RateLimiterWaited" || event._tag === "ConcurrencyQueued") {
      this.queued += Duration.toMillis(event.wait)
    } else if (event._tag === "Coalesced") this.joined = true
    if (this.countsCall) this.meter?.event(this.context, event)
    this.publishTo(this.hub, event)
    this.outerListener?.(event)
  }

  private attemptStarted(fiber: Fiber.Fiber<unknown, unknown>, model: string): SpanFacts | undefined {
    this.noteAttempt()
    this.meter?.attempt(this.context, model)
    const { queued, waited } = this
    this.waited = 0
    this.queued = 0
    if (this.span === undefined) return undefined
    const attempt = fiber.getRef(CurrentAttempt)
    const hedge = fiber.getRef(CurrentHedge)
    return { name: "attempt", attributes: attemptAttributes({ attempt, hedge, model, queued, waited }) }
  }

  // Tokens stay with the span of the call: whoever adds up spans would count them twice.
  private watchedAttempt<Self>(
    self: Self,
    model: string,
    attempt: number,
    span: Tracer.Span | undefined
  ): Watched<Self, unknown, ClaudeError> {
    if (span === undefined) return { self, provide: unchanged, ended: () => undefined }
    return {
      self,
      provide: Context.add(Tracer.ParentSpan, span),
      ended: (exit) => {
        const error = Option.getOrUndefined(Exit.findErrorOption(exit))
        if (error === undefined) return undefined
        annotate(span, failureAttributes(error))
        const line = this.attemptFailed(model, attempt, error)
        return line === undefined ? undefined : Effect.provideService(line, Tracer.ParentSpan, span)
      }
    }
  }

  // That a policy turned the attempt away is told by that policy, and by the call if it ends with it: a thousand calls that
  // wait for a circuit would say it again and again.
  private attemptFailed(model: string, attempt: number, error: ClaudeError): Effect.Effect<void> | undefined {
    if (verdictName(error) === "rejected") return undefined
    this.publish?.({
      _tag: "AttemptFailed",
      attempt,
      model,
      error: error._tag,
      verdict: verdictName(error),
      ...(error.requestId === undefined ? undefined : { requestId: error.requestId }),
      ...(error.status === undefined ? undefined : { status: error.status })
    })
    return this.noteFailure(model, error)
  }

  /** Counts and logs a failure that has not been: of an attempt, or of the call if no attempt failed with it. */
  private noteFailure(model: string, error: ClaudeError): Effect.Effect<void> | undefined {
    // What a call in flight failed with is that call's to tell.
    if (this.joined && error._tag !== "DeadlineExceededError") return undefined
    if (this.meter !== undefined && this.countsFirst(error)) this.meter.error(this.context, model, error._tag)
    return this.telemetry.logs && this.logsFirst(error) ? log(error) : undefined
  }

  private countCall(outcome: Outcome, millis: number, error: ClaudeError | undefined, answer: Message | undefined) {
    const { model, operation } = this.facts
    this.meter?.callEnded(this.context, operation, model, outcome, millis, error?._tag)
    if (answer === undefined) return
    const { source } = AnswerInfo.of(answer)
    if (outcome === "success" && source._tag !== "Requested") this.meter?.fallback(this.context, sourceKind(source))
    const answering = this.joined ? undefined : answeringModel(source, model)
    if (answering !== undefined) this.meter?.tokens(this.context, operation, answering, tokenUsage(answer))
  }

  private publishEnd(outcome: Outcome, millis: number, error: ClaudeError | undefined, answer: Message | undefined) {
    const info = answer === undefined ? undefined : AnswerInfo.of(answer)
    const requestId = error?.requestId ?? info?.requestId
    this.publishTo(this.hub, {
      _tag: "CallEnded",
      outcome,
      duration: Duration.millis(millis),
      attempts: this.attempts,
      ...(info === undefined ? undefined : { source: sourceName(info.source) }),
      ...(error === undefined ? undefined : { error: error._tag }),
      ...(requestId === undefined ? undefined : { requestId })
    })
  }

  private publishTo(hub: ClaudeEvents["Service"] | undefined, event: CallEvent | ResilienceEvent): void {
    if (hub === undefined) return
    const { model, operation } = this.facts
    hub.publishUnsafe({ at: this.clock.currentTimeMillisUnsafe(), callId: this.id, operation, model, event })
  }

  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }
}

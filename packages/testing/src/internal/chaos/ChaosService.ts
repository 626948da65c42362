import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { ClaudeError, PartialAnswer } from "@effect-claude/client/ClaudeError"
import { type CallOptions, type ClaudeServiceShape, HeadersTimeout } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { streamed } from "../script/ScriptedMessage.ts"
import type { StepCall } from "../script/Step.ts"
import * as WireFailure from "../script/WireFailure.ts"
import type { Deck, Hit } from "./Deck.ts"
import { breaking, changeMessage, endingWith, type EventChange } from "./EventChange.ts"
import type { Gate } from "./Gate.ts"
import type { Call, Change, NumberRange } from "./Injection.ts"

type EventStream = Stream.Stream<MessageEvent, ClaudeError>

type BreakChange = Extract<Change, { readonly _tag: "break" }>

type EndChange = Extract<Change, { readonly _tag: "endWith" }>

/** A call that something happens to. */
class Turn {
  readonly call: Call
  readonly stepCall: StepCall
  readonly hits: ReadonlyArray<Hit<never>>
  readonly #names: Array<string> = []

  constructor(call: Call, stepCall: StepCall, hits: ReadonlyArray<Hit<never>>) {
    this.call = call
    this.stepCall = stepCall
    this.hits = hits
  }

  /** Lets operators see that what happens here is made. */
  note({ injection: { action, name } }: Hit<never>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.#names.push(name)
      ResilienceEvent.emit(fiber, { _tag: "ChaosInjected", injection: name, kind: action._tag })
      const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
      if (span?._tag === "Span") span.attribute("claude.chaos", [...this.#names])
      const { attempt, model } = this.stepCall
      return Effect.logInfo("Chaos injected", { injection: name, kind: action._tag, model, attempt })
    })
  }

  /** Passes the time before the headers of an answer, or as much of it as there is, and tells what is left of that. */
  passHeaders(
    time: Duration.Duration,
    limit: Duration.Duration | undefined
  ): Effect.Effect<Duration.Duration | undefined, ClaudeError> {
    if (limit !== undefined && Duration.isLessThanOrEqualTo(limit, time)) {
      return Effect.delay(Effect.fail(WireFailure.headersTimedOut(this.stepCall, limit)), limit)
    }
    if (!Duration.isFinite(time)) return Effect.never
    const left = limit === undefined ? undefined : Duration.subtract(limit, time)
    return Duration.isZero(time) ? Effect.succeed(left) : Effect.as(Effect.sleep(time), left)
  }

  /** Whatever happens before the request is sent: the limit for headers that is left of this one, or a failure instead. */
  before(limit: Duration.Duration | undefined): Effect.Effect<Duration.Duration | undefined, ClaudeError> {
    return Effect.gen({ self: this }, function*() {
      let left = limit
      for (const hit of this.hits) {
        const { action } = hit.injection
        if (action._tag === "behavior") {
          yield* this.note(hit)
          yield* action.run(this.call)
        } else if (action._tag === "latency" && action.at === "headers") {
          yield* this.note(hit)
          left = yield* this.passHeaders(millisOf(hit, action.millis, "headers"), left)
        } else if (action._tag === "fault") {
          const { behavior, delay } = action.step
          yield* this.note(hit)
          left = yield* this.passHeaders(behavior._tag === "Hang" ? Duration.infinity : delay, left)
          if (behavior._tag === "Failure") {
            return yield* WireFailure.failNow((now) => behavior.error(this.stepCall, now))
          }
        }
      }
      return left
    })
  }

  /** Sends the request after whatever happens before it. */
  sent<A>(inner: Effect.Effect<A, ClaudeError>): Effect.Effect<A, ClaudeError> {
    return Effect.flatMap(HeadersTimeout, (limit) =>
      Effect.flatMap(
        this.before(limit),
        (left) => left === limit ? inner : Effect.provideService(inner, HeadersTimeout, left)
      ))
  }

  /** An answer, as it was or as it became. */
  answered(message: Message): Effect.Effect<Message, ClaudeError> {
    return Effect.gen({ self: this }, function*() {
      let current = message
      for (const hit of this.hits) {
        const { action } = hit.injection
        if (action._tag !== "outcome") continue
        yield* this.note(hit)
        const { change } = action
        switch (change._tag) {
          case "replace":
            current = change.answer(current, this.call)
            break
          case "endWith":
            current = changeMessage(endingOf(hit, change), eventsOf(current)) ?? current
            break
          case "break":
            return yield* this.lost(change, AnswerInfo.of(current).requestId)
        }
      }
      return current
    })
  }

  /** The body of an answer gets lost. */
  lost(change: BreakChange, requestId: string | undefined): Effect.Effect<never, ClaudeError> {
    const call = this.#known(requestId)
    switch (change.by) {
      case "cut":
        return Effect.fail(WireFailure.cutBody(call))
      case "end":
        return Effect.fail(WireFailure.truncatedBody(call))
      case "stall":
        return Effect.never
      default: {
        const { behavior, delay } = change.by
        return Effect.delay(WireFailure.failNow((now) => behavior.error(call, now)), delay)
      }
    }
  }

  countAnswered<A>(count: A): Effect.Effect<A, ClaudeError> {
    for (const hit of this.hits) {
      const { action } = hit.injection
      if (action._tag === "outcome" && action.change._tag === "break") {
        return Effect.andThen(this.note(hit), this.lost(action.change, undefined))
      }
    }
    return Effect.succeed(count)
  }

  /** A stream, as it was or as it becomes. */
  streaming(stream: EventStream): EventStream {
    return this.hits.reduce((current, hit) => {
      const { action } = hit.injection
      if (action._tag === "latency" && action.at === "events") {
        return this.#paced(current, hit, (number) => millisOf(hit, action.millis, `event ${number}`))
      }
      if (action._tag !== "outcome") return current
      const { change } = action
      switch (change._tag) {
        case "replace":
          return this.#replaced(current, hit, change.answer)
        case "endWith":
          return this.#changed(current, hit, () => endingOf(hit, change), () => Cause.done())
        case "break":
          return this.#changed(
            current,
            hit,
            () => breaking(eventsUntil(hit, change), change.by === "end" ? "message_delta" : "message_stop"),
            (partial) => this.#broken(change, partial)
          )
      }
    }, stream)
  }

  #known(requestId: string | undefined): StepCall {
    return requestId === undefined ? this.stepCall : { ...this.stepCall, requestId }
  }

  #paced(stream: EventStream, hit: Hit<never>, waitOf: (number: number) => Duration.Duration): EventStream {
    return Stream.suspend(() => {
      let number = 0
      return stream.pipe(
        Stream.rechunk(1),
        Stream.mapEffect((event) => {
          const wait = Effect.delay(Effect.succeed(event), waitOf(number))
          return number++ === 0 ? Effect.andThen(this.note(hit), wait) : wait
        })
      )
    })
  }

  #replaced(stream: EventStream, hit: Hit<never>, answer: (message: Message, call: Call) => Message): EventStream {
    return Stream.unwrap(Effect.gen({ self: this }, function*() {
      const message = yield* MessageEvents.message(stream)
      if (message === undefined) return Stream.empty
      yield* this.note(hit)
      return Stream.fromIterable(eventsOf(answer(message, this.call)))
    }))
  }

  #changed(
    stream: EventStream,
    hit: Hit<never>,
    make: () => EventChange,
    endOf: (partial: PartialAnswer) => Pull.Pull<never, ClaudeError>
  ): EventStream {
    return Stream.transformPull(stream, (pull) =>
      Effect.sync(() => {
        const change = make()
        let isOver = false
        const end = Effect.suspend(() => endOf(change.accumulator.partial()))
        const next: Pull.Pull<NonEmptyReadonlyArray<MessageEvent>, ClaudeError> = Effect.suspend(() =>
          isOver ? end : Effect.flatMap(pull, (events) => {
            const out: Array<MessageEvent> = []
            for (const event of events) {
              isOver = change.take(event, out)
              if (isOver) break
            }
            const passed = isReadonlyArrayNonEmpty(out) ? Effect.succeed(out) : next
            return isOver ? Effect.andThen(this.note(hit), passed) : passed
          })
        )
        return next
      }))
  }

  #broken({ by }: BreakChange, partial: PartialAnswer): Pull.Pull<never, ClaudeError> {
    const call = this.#known(partial.message === undefined ? undefined : AnswerInfo.of(partial.message).requestId)
    switch (by) {
      case "cut":
        return Effect.fail(WireFailure.cutStream(call, partial))
      case "end":
        return Effect.fail(WireFailure.endedEarly(call, partial))
      case "stall":
        return Effect.never
      default: {
        const { behavior, delay } = by
        return Effect.delay(WireFailure.failNow((now) => behavior.midStream(call, partial, now)), delay)
      }
    }
  }
}

const isEvent = (frame: ReturnType<typeof streamed>[number]): frame is MessageEvent => frame.type !== "pause"

const eventsOf = (message: Message): ReadonlyArray<MessageEvent> => streamed(message).filter(isEvent)

const eventsUntil = (hit: Hit<never>, { afterEvents }: BreakChange | EndChange): number =>
  Math.round(hit.draw(afterEvents, "events"))

/** Whole milliseconds, as a log shows them. A time that is stated and not drawn stays as it is. */
const millisOf = (hit: Hit<never>, { max, min }: NumberRange, purpose: string): Duration.Duration =>
  Duration.millis(min === max ? min : Math.round(hit.draw({ max, min }, purpose)))

const endingOf = (hit: Hit<never>, change: EndChange): EventChange => endingWith(eventsUntil(hit, change), change.end)

/** Puts chaos around a service. Where it is off, a call goes straight to the service. */
export const makeChaosService = (inner: ClaudeServiceShape, gate: Gate, deck: Deck<never>): ClaudeServiceShape => {
  const turnOf = (
    fiber: Fiber.Fiber<unknown, unknown>,
    elapsed: number,
    asked: Pick<Call, "method" | "request">,
    options: CallOptions | undefined
  ): Turn | undefined => {
    const call = { ...asked, options, attempt: fiber.getRef(CurrentAttempt) } as Call
    const { hits, stepCall } = deck.deal(call, elapsed)
    return hits.length === 0 ? undefined : new Turn(call, stepCall, hits)
  }

  return {
    ...inner,
    createMessage: (request, options) =>
      Effect.withFiber((fiber) => {
        const elapsed = gate.elapsed(fiber)
        const turn = elapsed === undefined
          ? undefined
          : turnOf(fiber, elapsed, { method: "createMessage", request }, options)
        if (turn === undefined) return inner.createMessage(request, options)
        const call = Effect.suspend(() => inner.createMessage(request, options))
        return Effect.flatMap(turn.sent(call), (message) => turn.answered(message))
      }),
    countTokens: (request, options) =>
      Effect.withFiber((fiber) => {
        const elapsed = gate.elapsed(fiber)
        const turn = elapsed === undefined
          ? undefined
          : turnOf(fiber, elapsed, { method: "countTokens", request }, options)
        if (turn === undefined) return inner.countTokens(request, options)
        const call = Effect.suspend(() => inner.countTokens(request, options))
        return Effect.flatMap(turn.sent(call), (count) => turn.countAnswered(count))
      }),
    streamMessage: (request, options) =>
      Stream.unwrap(Effect.withFiber((fiber) => {
        const elapsed = gate.elapsed(fiber)
        const turn = elapsed === undefined
          ? undefined
          : turnOf(fiber, elapsed, { method: "streamMessage", request }, options)
        if (turn === undefined) return Effect.succeed(inner.streamMessage(request, options))
        const stream = Stream.suspend(() => inner.streamMessage(request, options))
        return Effect.flatMap(HeadersTimeout, (limit) =>
          Effect.map(turn.before(limit), (left) =>
            turn.streaming(left === limit ? stream : Stream.provideService(stream, HeadersTimeout, left))))
      }))
  }
}

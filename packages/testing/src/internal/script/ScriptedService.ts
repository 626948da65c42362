import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { HeadersTimeout } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as RequestCheck from "@effect-claude/client/RequestCheck"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { CountTokensCall, MessageCall, RecordedCall } from "./CallLog.ts"
import { CallLog } from "./CallLog.ts"
import type { Script } from "./Script.ts"
import { difference } from "./ScriptDifference.ts"
import type { Broken, Frame, Step, StepCall } from "./Step.ts"
import { describeStep, makeStep } from "./Step.ts"
import type { Transmission } from "./Transmission.ts"
import { durationOf, render, transmit } from "./Transmission.ts"
import * as WireFailure from "./WireFailure.ts"

/** A call that is on record; it has no step when the script is over. */
interface Admitted {
  readonly call: StepCall
  readonly step: Step | undefined
}

interface Turn {
  readonly call: StepCall
  readonly step: Step
}

/** Passes the time before the headers of an answer, or as much of it as the client's timeout for headers allows. */
const awaitHeaders = (call: StepCall, delay: Duration.Duration): Effect.Effect<void, ClaudeError> =>
  Effect.flatMap(HeadersTimeout, (limit) => {
    if (limit !== undefined && Duration.isLessThanOrEqualTo(limit, delay)) {
      return Effect.delay(Effect.fail(WireFailure.headersTimedOut(call, limit)), limit)
    }
    if (!Duration.isFinite(delay)) return Effect.never
    return Duration.isZero(delay) ? Effect.void : Effect.sleep(delay)
  })

/** An answer that is not streamed has its headers when it is finished, so its pauses lie before them. */
const awaitBody = (turn: Turn, frames: ReadonlyArray<Frame>): Effect.Effect<void, ClaudeError> =>
  awaitHeaders(turn.call, Duration.sum(turn.step.delay, durationOf(frames)))

const answerBroken = (turn: Turn, broken: Broken): Effect.Effect<never, ClaudeError> => {
  const { frames } = transmit(render(broken.content, turn.call).frames, broken.afterEvents)
  const arrived = awaitBody(turn, frames)
  switch (broken.by) {
    case "cut":
      return Effect.andThen(arrived, Effect.fail(WireFailure.cutBody(turn.call)))
    case "end":
      return Effect.andThen(arrived, Effect.fail(WireFailure.truncatedBody(turn.call)))
    case "stall":
      return Effect.andThen(arrived, Effect.never)
    default: {
      const { delay, failure } = broken.by
      const step = makeStep(turn.step.label, broken, { delay: Duration.sum(turn.step.delay, delay) })
      return Effect.andThen(
        awaitBody({ ...turn, step }, frames),
        WireFailure.failNow((now) => failure.error(turn.call, now))
      )
    }
  }
}

const answer = (turn: Turn): Effect.Effect<Message, ClaudeError> => {
  const { call, step: { behavior, delay } } = turn
  switch (behavior._tag) {
    case "Answer": {
      const { frames, message: stated } = render(behavior.content, call)
      const { closed, frames: arrived, message, stopped } = transmit(frames)
      const whole = stated ?? (stopped || closed ? message : undefined)
      return Effect.andThen(
        awaitBody(turn, arrived),
        whole === undefined ? Effect.fail(WireFailure.truncatedBody(call)) : Effect.succeed(whole)
      )
    }
    case "Computed":
      return Effect.andThen(awaitHeaders(call, delay), Effect.suspend(() => behavior.answer(call)))
    case "Failure":
      return Effect.andThen(awaitHeaders(call, delay), WireFailure.failNow((now) => behavior.error(call, now)))
    case "Broken":
      return answerBroken(turn, behavior)
    case "Hang":
      return Effect.andThen(awaitHeaders(call, Duration.infinity), Effect.never)
  }
}

const isEvent = (frame: Frame): frame is MessageEvent => frame.type !== "pause"

/** One event at a time, as they come from a socket, and each only when it is asked for. */
const send = (frames: ReadonlyArray<Frame>): Stream.Stream<MessageEvent> =>
  Stream.fromIterable(frames, { chunkSize: 1 }).pipe(
    Stream.tap((frame) => frame.type === "pause" ? Effect.sleep(frame.duration) : Effect.void),
    Stream.filter(isEvent)
  )

const endOf = (
  call: StepCall,
  transmission: Transmission,
  by: Broken["by"]
): Stream.Stream<MessageEvent, ClaudeError> => {
  const { closed, partial, stopped } = transmission
  if (stopped) return Stream.empty
  switch (by) {
    case "cut":
      return Stream.fail(WireFailure.cutStream(call, partial))
    case "stall":
      return Stream.never
    case "end":
      return closed ? Stream.succeed({ type: "message_stop" }) : Stream.fail(WireFailure.endedEarly(call, partial))
    default: {
      const { delay, failure } = by
      const event = WireFailure.failNow((now) => failure.midStream(call, partial, now))
      return Stream.fromEffect(Duration.isZero(delay) ? event : Effect.delay(event, delay))
    }
  }
}

const play = (call: StepCall, transmission: Transmission, by: Broken["by"]): Stream.Stream<MessageEvent, ClaudeError> =>
  Stream.concat(send(transmission.frames), Stream.suspend(() => endOf(call, transmission, by)))

const stream = (turn: Turn): Effect.Effect<Stream.Stream<MessageEvent, ClaudeError>, ClaudeError> => {
  const { call, step: { behavior, delay } } = turn
  switch (behavior._tag) {
    case "Answer":
      return Effect.as(awaitHeaders(call, delay), play(call, transmit(render(behavior.content, call).frames), "end"))
    case "Broken": {
      const transmission = transmit(render(behavior.content, call).frames, behavior.afterEvents)
      return Effect.as(awaitHeaders(call, delay), play(call, transmission, behavior.by))
    }
    case "Computed":
      return Effect.map(answer(turn), (message) => {
        const { frames } = render({ _tag: "Message", message: () => message }, call)
        return play(call, transmit(frames), "end")
      })
    case "Failure":
    case "Hang":
      return Effect.map(answer(turn), () => Stream.empty)
  }
}

const checked = (request: object, endpoint: "messages" | "count_tokens", streaming: boolean) => {
  const error = RequestCheck.check(request, endpoint, { streaming })
  return error === undefined ? Effect.void : Effect.fail(error)
}

/** What the script notes of a call beside what was asked. */
type Unasked = "attempt" | "at" | "endedAt" | "step" | "outcome"

type Request = Omit<MessageCall, Unasked> | Omit<CountTokensCall, Unasked>

export interface ScriptedService {
  readonly service: ClaudeServiceShape
  readonly calls: Effect.Effect<ReadonlyArray<RecordedCall>>
  readonly remaining: Effect.Effect<number>
  /** What the script expected against what was called, if they differ. */
  readonly difference: Effect.Effect<string | undefined>
}

/** A call in words; nothing of its request but the model, which is no secret. */
const describeCall = (call: RecordedCall | undefined): string =>
  call === undefined ? "" : `${call.method} ${call.request.model}, attempt ${call.attempt}`

/** A `ClaudeService` that answers from a script, and what it was asked. */
export const makeScriptedService = (script: Script): ScriptedService => {
  const log = new CallLog()

  // Noting a call and taking its step are one: calls that come at the same time get the steps in the order of the record.
  const admit = (arrival: Request): Effect.Effect<Admitted> =>
    Effect.gen(function*() {
      const attempt = yield* CurrentAttempt
      const at = yield* Clock.currentTimeMillis
      const { method, options, request } = arrival
      const number = log.size + 1
      const requestId = `req_test_${number}`
      const call: StepCall = { method, number, attempt, model: request.model, requestId, request, options }
      const step = script.next(call)
      log.open({ ...arrival, attempt, at, step: step === undefined ? undefined : describeStep(step) })
      return { call, step }
    })

  const turnOf = ({ call, step }: Admitted): Effect.Effect<Turn> =>
    step === undefined
      ? Effect.die(
        new Error(`ClaudeTest: call ${call.number} (${call.method} ${call.model}, attempt ${call.attempt}) has no step`)
      )
      : Effect.succeed({ call, step })

  const close = ({ call }: Admitted, exit: Exit.Exit<unknown, ClaudeError>) =>
    Effect.map(Clock.currentTimeMillis, (now) => log.close(call.number, exit, now))

  const answered = (request: Request, endpoint: "messages" | "count_tokens"): Effect.Effect<Message, ClaudeError> =>
    Effect.gen(function*() {
      yield* checked(request.request, endpoint, false)
      const admitted = yield* admit(request)
      return yield* turnOf(admitted).pipe(
        Effect.flatMap(answer),
        Effect.onExit((exit) => close(admitted, exit))
      )
    })

  const streamMessage: ClaudeServiceShape["streamMessage"] = (request, options) =>
    Stream.unwrap(Effect.gen(function*() {
      yield* checked(request, "messages", true)
      const admitted = yield* admit({ method: "streamMessage", request, options })
      // A consumer that has enough drops the stream, and nothing but its scope hears of that.
      yield* Effect.addFinalizer(() => close(admitted, Exit.interrupt()))
      return Stream.unwrap(Effect.flatMap(turnOf(admitted), stream)).pipe(
        Stream.tap((event) => event.type === "message_stop" ? close(admitted, Exit.void) : Effect.void),
        Stream.onEnd(close(admitted, Exit.void)),
        Stream.tapCause((cause) => close(admitted, Exit.failCause(cause)))
      )
    }))

  return {
    service: {
      createMessage: (request, options) => answered({ method: "createMessage", request, options }, "messages"),
      countTokens: (request, options) =>
        Effect.map(
          answered({ method: "countTokens", request, options }, "count_tokens"),
          ({ usage }) => ({ input_tokens: usage.input_tokens })
        ),
      streamMessage,
      policies: []
    },
    calls: Effect.sync(() => log.snapshot()),
    remaining: Effect.sync(() => script.remaining),
    difference: Effect.sync(() => {
      const all = log.snapshot()
      const { threads, withoutStep } = script
      return difference({ threads, withoutStep, describe: (number) => describeCall(all[number - 1]) })
    })
  }
}

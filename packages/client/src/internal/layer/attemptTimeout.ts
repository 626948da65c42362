import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as AttemptTimeout from "@effect-claude/resilience/AttemptTimeout"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import { AttemptTimeoutError, type PartialAnswer } from "../../ClaudeError.ts"
import { type ClaudeServiceShape, HeadersTimeout } from "../../ClaudeService.ts"
import * as MessageEvents from "../../MessageEvents.ts"
import { NoteBytes } from "../callContext.ts"
import { type PolicyLayer, stateless } from "./PolicyLayer.ts"

/**
 * The clocks of `withAttemptTimeout`, which describes them. At least one is needed.
 *
 * @category models
 * @since 0.1.0
 */
export interface AttemptTimeoutOptions {
  readonly headers?: Duration.Input | undefined
  readonly firstEvent?: Duration.Input | undefined
  readonly idle?: Duration.Input | undefined
  readonly attempt?: Duration.Input | undefined
  readonly stream?: Duration.Input | undefined
}

type Limits = { readonly [K in keyof AttemptTimeoutOptions]?: Duration.Duration }

const owner = "ClaudeLayer.withAttemptTimeout"
const names = ["headers", "firstEvent", "idle", "attempt", "stream"] as const

const check = (options: AttemptTimeoutOptions): Limits => {
  const limits: { -readonly [K in keyof Limits]: Limits[K] } = {}
  for (const name of names) {
    const value = options[name]
    if (value !== undefined) limits[name] = OptionCheck.duration(owner, name, value, { positive: true })
  }
  if (Object.keys(limits).length === 0) {
    throw new RangeError(`${owner}: set at least one of ${names.map((name) => `"${name}"`).join(", ")}`)
  }
  const stream = limits.stream === undefined ? "attempt" : "stream"
  for (const [part, whole] of [["firstEvent", stream], ["idle", stream], ["headers", "attempt"]] as const) {
    const [shorter, longer] = [limits[part], limits[whole]]
    if (shorter !== undefined && longer !== undefined && Duration.isGreaterThan(shorter, longer)) {
      throw new RangeError(
        `${owner}: option "${part}" (${Duration.format(shorter)}) must not be longer than "${whole}" (${
          Duration.format(longer)
        })`
      )
    }
  }
  return limits
}

const what = {
  headers: "No headers arrived",
  firstEvent: "No event arrived",
  idle: "Nothing arrived",
  attempt: "The attempt did not end"
}

const timedOut = (
  phase: AttemptTimeoutError["phase"],
  limit: Duration.Duration,
  model: string,
  attempt: number,
  arrived?: { readonly partial: PartialAnswer; readonly requestId: string | undefined }
): AttemptTimeoutError =>
  new AttemptTimeoutError({
    message: `${what[phase]} within ${Duration.format(limit)}`,
    phase,
    limit,
    model,
    attempt,
    ...(arrived === undefined ? undefined : { partial: arrived.partial }),
    ...(arrived?.requestId === undefined ? undefined : { requestId: arrived.requestId })
  })

export const attemptTimeout = (options: AttemptTimeoutOptions): PolicyLayer => {
  const limits = check(options)
  const { attempt: whole, headers } = limits

  const limitEffect = <A, E>(model: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | AttemptTimeoutError> => {
    const withHeaders = headers === undefined ? effect : Effect.provideService(effect, HeadersTimeout, headers)
    return whole === undefined ? withHeaders : AttemptTimeout.withAttemptTimeoutOrElse(withHeaders, {
      duration: whole,
      orElse: ({ limit }) =>
        Effect.flatMap(CurrentAttempt, (attempt) => Effect.fail(timedOut("attempt", limit, model, attempt)))
    })
  }

  const limitStream: (inner: ClaudeServiceShape) => ClaudeServiceShape["streamMessage"] = (inner) => (request, call) =>
    Stream.unwrap(Effect.withFiber((fiber) => {
      const attempt = fiber.getRef(CurrentAttempt)
      const clock = fiber.getRef(Clock.Clock)
      const accumulator = MessageEvents.makeAccumulator()
      let lastActivity: number | undefined
      const outer = fiber.getRef(NoteBytes)
      const noteBytes = () => {
        outer()
        lastActivity = Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
      }
      const stream = Stream.map(inner.streamMessage(request, call), (event) => {
        accumulator.add(event)
        return event
      })
      const timed = headers === undefined ? stream : Stream.provideService(stream, HeadersTimeout, headers)
      return Effect.succeed(AttemptTimeout.streamWithTimeouts(
        limits.idle === undefined ? timed : Stream.provideService(timed, NoteBytes, noteBytes),
        {
          lastActivity: () => lastActivity,
          firstEvent: limits.firstEvent,
          idle: limits.idle,
          attempt: limits.stream ?? whole,
          isEvent: (event: MessageEvents.MessageEvent) => !MessageEvents.isPing(event),
          onTimeout: (phase, limit) =>
            timedOut(phase, limit, request.model, attempt, {
              partial: accumulator.partial(),
              requestId: AnswerInfo.of(accumulator.message() ?? {}).requestId
            })
        }
      ))
    }))

  return stateless({
    name: "attemptTimeout",
    options: limits,
    wrap: (inner) => ({
      createMessage: (request, call) => limitEffect(request.model, inner.createMessage(request, call)),
      countTokens: (request, call) => limitEffect(request.model, inner.countTokens(request, call)),
      streamMessage: limitStream(inner)
    })
  })
}

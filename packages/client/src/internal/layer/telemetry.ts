import type { Message, MessageTokensCount } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { type AttemptObserver, CurrentAttemptObserver } from "../callContext.ts"
import { observeAttempts } from "./attempts.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"

/**
 * What `withTelemetry` gives out: spans, log lines. Both by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface TelemetryOptions {
  readonly spans?: boolean | undefined
  readonly logs?: boolean | undefined
}

type Attributes = Readonly<Record<string, unknown>>

const loggedCharacters = 200

const spanOptions = (attributes: Attributes): Tracer.SpanOptionsNoTrace => ({
  kind: "client",
  attributes: { ...attributes }
})

const annotate = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
}

const describe = (error: ClaudeError): Attributes => {
  const { verdict } = error
  return {
    error: error._tag,
    message: error.message.slice(0, loggedCharacters),
    verdict: verdict._tag === "Stop" ? "stop" : verdict.kind,
    ...(error.model === undefined ? undefined : { model: error.model }),
    ...(error.attempt === undefined ? undefined : { attempt: error.attempt }),
    ...(error.requestId === undefined ? undefined : { request_id: error.requestId }),
    ...(error.status === undefined ? undefined : { status: error.status }),
    ...(error.errorCode === undefined ? undefined : { error_code: error.errorCode }),
    ...(error.retryAfter === undefined ? undefined : { retry_after_ms: Duration.toMillis(error.retryAfter) })
  }
}

const requestAttributes = (operation: string, model: string): Attributes => ({
  "gen_ai.operation.name": operation,
  "gen_ai.provider.name": "anthropic",
  "gen_ai.request.model": model
})

const failureAttributes = (error: ClaudeError): Attributes => ({
  "error.type": error._tag,
  "claude.verdict": error.verdict._tag === "Stop" ? "stop" : error.verdict.kind,
  ...(error.requestId === undefined ? undefined : { "claude.request_id": error.requestId }),
  ...(error.status === undefined ? undefined : { "http.response.status_code": error.status }),
  ...(error.errorCode === undefined ? undefined : { "claude.error_code": error.errorCode }),
  ...(error.retryAfter === undefined ? undefined : { "claude.retry_after_ms": Duration.toMillis(error.retryAfter) })
})

const ofFailure = (exit: Exit.Failure<unknown, ClaudeError>): Attributes => {
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? failureAttributes(error.value) : {}
}

const sourceName = (source: AnswerInfo.Source): string =>
  source._tag === "Model" ? source.model : source._tag.toLowerCase()

const messageAttributes = (message: Message): Attributes => {
  const info = AnswerInfo.of(message)
  return {
    "gen_ai.response.id": message.id,
    "gen_ai.response.model": message.model,
    "gen_ai.response.finish_reasons": message.stop_reason === null ? [] : [message.stop_reason],
    "gen_ai.usage.input_tokens": message.usage.input_tokens,
    "gen_ai.usage.output_tokens": message.usage.output_tokens,
    "claude.source": sourceName(info.source),
    "claude.attempt": info.attempt,
    ...(info.requestId === undefined ? undefined : { "claude.request_id": info.requestId })
  }
}

const countAttributes = (count: MessageTokensCount): Attributes => ({
  "gen_ai.usage.input_tokens": count.input_tokens
})

/** What a stream has told of its answer so far, read off the two events that say it. */
const makeStreamFacts = () => {
  let message: Message | undefined
  return {
    note: (event: MessageEvent): MessageEvent => {
      if (event.type === "message_start") {
        message = event.message
      } else if (event.type === "message_delta" && message !== undefined) {
        const { output_tokens } = event.usage
        message = { ...message, stop_reason: event.delta.stop_reason, usage: { ...message.usage, output_tokens } }
      }
      return event
    },
    attributes: (): Attributes => message === undefined ? {} : messageAttributes(message)
  }
}

export const telemetry = (options: TelemetryOptions): PolicyLayer => {
  const spans = options.spans ?? true
  const logs = options.logs ?? true

  const log = (error: ClaudeError): Effect.Effect<void> => {
    if (!logs) return Effect.void
    const line = error.verdict._tag === "Stop" ? Effect.logError : Effect.logWarning
    return line("Claude call failed", describe(error))
  }

  const traced = <A>(
    effect: Effect.Effect<A, ClaudeError>,
    name: string,
    attributes: Attributes,
    ofAnswer: (answer: A) => Attributes
  ): Effect.Effect<A, ClaudeError> =>
    spans
      ? Effect.useSpan(name, spanOptions(attributes), (span) =>
        Effect.onExit(
          Effect.provideService(effect, Tracer.ParentSpan, span),
          (exit) => Effect.sync(() => annotate(span, Exit.isSuccess(exit) ? ofAnswer(exit.value) : ofFailure(exit)))
        ))
      : effect

  const tracedStream = (
    stream: Stream.Stream<MessageEvent, ClaudeError>,
    name: string,
    attributes: Attributes
  ): Stream.Stream<MessageEvent, ClaudeError> => {
    if (!spans) return stream
    return Stream.unwrap(Effect.map(Effect.makeSpanScoped(name, spanOptions(attributes)), (span) => {
      const facts = makeStreamFacts()
      return Stream.map(stream, facts.note).pipe(
        Stream.onExit((exit) =>
          Effect.sync(() => annotate(span, Exit.isSuccess(exit) ? facts.attributes() : ofFailure(exit)))
        ),
        Stream.provideService(Tracer.ParentSpan, span)
      )
    }))
  }

  /** Watches one call: its attempts become child spans and log lines, and its own failure a line if no attempt had it. */
  const makeCall = () => {
    const logged = new WeakSet<ClaudeError>()
    const once = (error: ClaudeError): Effect.Effect<void> => {
      if (logged.has(error)) return Effect.void
      logged.add(error)
      return log(error)
    }
    const attemptAttributes = (attempt: number, model: string): Attributes => ({
      "claude.attempt": attempt,
      "gen_ai.request.model": model
    })
    const observer: AttemptObserver = {
      effect: (attempt, model, effect) =>
        traced(Effect.tapError(effect, once), "attempt", attemptAttributes(attempt, model), () => ({})),
      stream: (attempt, model, stream) =>
        tracedStream(Stream.tapError(stream, once), "attempt", attemptAttributes(attempt, model))
    }
    return { once, observer }
  }

  const watched = <A>(
    operation: string,
    model: string,
    effect: Effect.Effect<A, ClaudeError>,
    ofAnswer: (answer: A) => Attributes
  ): Effect.Effect<A, ClaudeError> =>
    Effect.suspend(() => {
      const { observer, once } = makeCall()
      return traced(
        Effect.tapError(Effect.provideService(effect, CurrentAttemptObserver, observer), once),
        `${operation} ${model}`,
        requestAttributes(operation, model),
        ofAnswer
      )
    })

  return {
    name: "telemetry",
    options: { spans, logs },
    wrap: (service) => {
      const inner = observeAttempts(service)
      const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
        Stream.suspend(() => {
          const { observer, once } = makeCall()
          return tracedStream(
            Stream.tapError(
              Stream.provideService(inner.streamMessage(request, call), CurrentAttemptObserver, observer),
              once
            ),
            `chat ${request.model}`,
            requestAttributes("chat", request.model)
          )
        })
      return {
        createMessage: (request, call) =>
          watched("chat", request.model, inner.createMessage(request, call), messageAttributes),
        countTokens: (request, call) =>
          watched("count_tokens", request.model, inner.countTokens(request, call), countAttributes),
        streamMessage
      }
    }
  }
}

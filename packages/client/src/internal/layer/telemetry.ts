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

// Names come from the program and the server, and nothing else bounds what a span or a log line keeps of them.
const shownCharacters = 100

const shown = (name: unknown): string => String(name).slice(0, shownCharacters)

/**
 * The attributes, and those of the stated ones that have a value. Callers and gateways leave fields out that the types
 * promise; a call is not to fail for what is said about it.
 */
const withStated = (attributes: Record<string, unknown>, stated: Attributes): Attributes => {
  for (const name in stated) {
    const value = stated[name]
    if (typeof value === "string") attributes[name] = shown(value)
    else if (typeof value === "number") attributes[name] = value
  }
  return attributes
}

const millis = (wait: Duration.Duration | undefined): number | undefined =>
  wait === undefined ? undefined : Duration.toMillis(wait)

const verdictName = ({ verdict }: ClaudeError): string => verdict._tag === "Stop" ? "stop" : verdict.kind

const spanOptions = (attributes: Attributes): Tracer.SpanOptionsNoTrace => ({
  kind: "client",
  attributes: { ...attributes }
})

const annotate = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
}

const describe = (error: ClaudeError): Attributes =>
  withStated({
    error: error._tag,
    message: error.message.slice(0, loggedCharacters),
    verdict: verdictName(error)
  }, {
    model: error.model,
    attempt: error.attempt,
    request_id: error.requestId,
    status: error.status,
    error_code: error.errorCode,
    code: "code" in error ? error.code : undefined,
    phase: "phase" in error ? error.phase : undefined,
    retry_after_ms: millis(error.retryAfter)
  })

const spanName = (operation: string, model: string): string => `${operation} ${shown(model)}`

const requestAttributes = (operation: string, model: string): Attributes => ({
  "gen_ai.operation.name": operation,
  "gen_ai.provider.name": "anthropic",
  "gen_ai.request.model": shown(model)
})

const failureAttributes = (error: ClaudeError): Attributes =>
  withStated({ "error.type": error._tag, "claude.verdict": verdictName(error) }, {
    "claude.request_id": error.requestId,
    "http.response.status_code": error.status,
    "claude.error_code": error.errorCode,
    "claude.retry_after_ms": millis(error.retryAfter)
  })

const ofFailure = (exit: Exit.Failure<unknown, ClaudeError>): Attributes => {
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? failureAttributes(error.value) : {}
}

const sourceName = (source: AnswerInfo.Source): string =>
  source._tag === "Model" ? source.model : source._tag.toLowerCase()

const messageAttributes = (message: Message): Attributes => {
  const info = AnswerInfo.of(message)
  const usage: Partial<Message["usage"]> | undefined = message.usage
  const stopReason: unknown = message.stop_reason
  return withStated({
    "gen_ai.response.finish_reasons": typeof stopReason === "string" ? [shown(stopReason)] : [],
    "claude.source": shown(sourceName(info.source)),
    "claude.attempt": info.attempt
  }, {
    "gen_ai.response.id": message.id,
    "gen_ai.response.model": message.model,
    "gen_ai.usage.input_tokens": usage?.input_tokens,
    "gen_ai.usage.output_tokens": usage?.output_tokens,
    "claude.request_id": info.requestId
  })
}

const countAttributes = (count: MessageTokensCount): Attributes => ({
  "gen_ai.usage.input_tokens": count.input_tokens
})

/** What a stream has told of its answer so far, read off the two events that say it. */
const makeStreamFacts = (ofAnswer: (answer: Message) => Attributes) => {
  let message: Message | undefined
  return {
    note: (event: MessageEvent): MessageEvent => {
      if (event.type === "message_start") {
        message = event.message
      } else if (event.type === "message_delta" && message !== undefined) {
        const usage: Partial<typeof event.usage> | undefined = event.usage
        const output_tokens = usage?.output_tokens ?? message.usage?.output_tokens
        message = { ...message, stop_reason: event.delta.stop_reason, usage: { ...message.usage, output_tokens } }
      }
      return event
    },
    attributes: (): Attributes => message === undefined ? {} : ofAnswer(message)
  }
}

export const telemetry = (options: TelemetryOptions): PolicyLayer => {
  const spans = options.spans ?? true
  const logs = options.logs ?? true

  const log = (error: ClaudeError): Effect.Effect<void> => {
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
    attributes: Attributes,
    ofAnswer: (answer: Message) => Attributes
  ): Stream.Stream<MessageEvent, ClaudeError> => {
    if (!spans) return stream
    return Stream.unwrap(Effect.map(Effect.makeSpanScoped(name, spanOptions(attributes)), (span) => {
      const facts = makeStreamFacts(ofAnswer)
      return Stream.map(stream, facts.note).pipe(
        Stream.onExit((exit) =>
          Effect.sync(() =>
            annotate(span, { ...facts.attributes(), ...(Exit.isSuccess(exit) ? undefined : ofFailure(exit)) })
          )
        ),
        Stream.provideService(Tracer.ParentSpan, span)
      )
    }))
  }

  /**
   * Watches one call: its attempts become child spans and log lines, and its own failure a line if no attempt had it, nor
   * another telemetry layer around or inside.
   */
  const watchCall = Effect.map(CurrentAttemptObserver, (outer) => {
    const logged = outer?.logged ?? new WeakSet<ClaudeError>()
    const once = (error: ClaudeError): Effect.Effect<void> => {
      if (!logs || logged.has(error)) return Effect.void
      logged.add(error)
      return log(error)
    }
    const attemptAttributes = (attempt: number, model: string): Attributes => ({
      "claude.attempt": attempt,
      "gen_ai.request.model": shown(model)
    })
    // Tokens stay with the span of the call: whoever adds up spans would count them twice.
    const observer: AttemptObserver = {
      logged,
      effect: (attempt, model, effect) =>
        traced(Effect.tapError(effect, once), "attempt", attemptAttributes(attempt, model), () => ({})),
      stream: (attempt, model, stream) =>
        tracedStream(Stream.tapError(stream, once), "attempt", attemptAttributes(attempt, model), () => ({}))
    }
    return { once, observer }
  })

  const watched = <A>(
    operation: string,
    model: string,
    effect: Effect.Effect<A, ClaudeError>,
    ofAnswer: (answer: A) => Attributes
  ): Effect.Effect<A, ClaudeError> =>
    Effect.flatMap(watchCall, ({ observer, once }) =>
      traced(
        Effect.tapError(Effect.provideService(effect, CurrentAttemptObserver, observer), once),
        spanName(operation, model),
        requestAttributes(operation, model),
        ofAnswer
      ))

  return {
    name: "telemetry",
    options: { spans, logs },
    wrap: (service) => {
      const inner = observeAttempts(service)
      const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
        Stream.unwrap(Effect.map(watchCall, ({ observer, once }) =>
          tracedStream(
            Stream.tapError(
              Stream.provideService(inner.streamMessage(request, call), CurrentAttemptObserver, observer),
              once
            ),
            spanName("chat", request.model),
            requestAttributes("chat", request.model),
            messageAttributes
          )))
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

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constUndefined, identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import { ClaudeEvents } from "../../ClaudeEvents.ts"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import { isPing, type MessageEvent } from "../../MessageEvents.ts"
import { StreamFacts } from "../telemetry/answerFacts.ts"
import {
  type Attributes,
  countAttributes,
  messageAttributes,
  requestAttributes,
  type RequestFacts,
  spanName
} from "../telemetry/attributes.ts"
import { CallWatch, type Telemetry } from "../telemetry/CallWatch.ts"
import { Meter } from "../telemetry/Meter.ts"
import { annotate, isTraced, type SpanFacts, watchEffect, watchStream } from "../telemetry/watch.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"

/**
 * What `withTelemetry` gives out: spans, log lines, metrics. All by default. Events go to the `ClaudeEvents` hub if there is one.
 *
 * @category models
 * @since 0.1.0
 */
export interface TelemetryOptions {
  readonly spans?: boolean | undefined
  readonly logs?: boolean | undefined
  readonly metrics?: boolean | undefined
}

/** What telemetry says of a request; of its contents nothing. */
type Request = { readonly model: string; readonly max_tokens?: number }

const factsOf = (operation: RequestFacts["operation"], request: Request, isStream: boolean): RequestFacts => ({
  operation,
  model: request.model,
  maxTokens: request.max_tokens,
  isStream
})

const wrap = (inner: ClaudeServiceShape, telemetry: Telemetry): ClaudeServiceShape => {
  const spanOf = (fiber: Fiber.Fiber<unknown, unknown>, facts: RequestFacts): SpanFacts | undefined =>
    telemetry.spans && isTraced(fiber)
      ? { name: spanName(facts.operation, facts.model), attributes: requestAttributes(facts) }
      : undefined

  const watched = <A>(
    operation: RequestFacts["operation"],
    request: Request,
    effect: Effect.Effect<A, ClaudeError>,
    attributesOf: (answer: A, requested: string) => Attributes,
    messageOf: (answer: A) => Message | undefined
  ): Effect.Effect<A, ClaudeError> =>
    Effect.withFiber((fiber) => {
      const facts = factsOf(operation, request, false)
      return watchEffect<A, ClaudeError>(fiber, spanOf(fiber, facts), (span) => {
        const watch = new CallWatch(telemetry, fiber, facts, span)
        return {
          self: effect,
          provide: watch.provide,
          ended: (exit) => {
            if (!Exit.isSuccess(exit)) return watch.ended(exit, undefined)
            if (span !== undefined) annotate(span, attributesOf(exit.value, facts.model))
            return watch.ended(exit, messageOf(exit.value))
          }
        }
      })
    })

  const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
    Stream.unwrap(Effect.withFiber((fiber) => {
      const facts = factsOf("chat", request, true)
      const stream = watchStream<MessageEvent, ClaudeError>(spanOf(fiber, facts), (span) => {
        const watch = new CallWatch(telemetry, fiber, facts, span)
        const answer = new StreamFacts()
        let begun = false
        const note = (event: MessageEvent): MessageEvent => {
          if (!begun && !isPing(event)) {
            begun = true
            watch.firstChunk()
          }
          answer.note(event)
          return event
        }
        return {
          self: Stream.map(inner.streamMessage(request, call), note),
          provide: watch.provide,
          ended: (exit) => {
            const message = partsOf(exit) ?? answer.message
            if (span !== undefined && message !== undefined) annotate(span, messageAttributes(message, facts.model))
            return watch.ended(exit, message)
          }
        }
      })
      return Effect.succeed(stream)
    }))

  return {
    createMessage: (request, call) =>
      watched("chat", request, inner.createMessage(request, call), messageAttributes, identity),
    countTokens: (request, call) =>
      watched("count_tokens", request, inner.countTokens(request, call), countAttributes, constUndefined),
    streamMessage
  }
}

/** What a stream of several parts that fails in the end says of all of them. */
const partsOf = (exit: Exit.Exit<unknown, ClaudeError>): Message | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const message = Option.getOrUndefined(Exit.findErrorOption(exit))?.partial?.message
  return message !== undefined && AnswerInfo.of(message).parts !== undefined ? message : undefined
}

const make = (
  { logs, metrics, spans }: { readonly spans: boolean; readonly logs: boolean; readonly metrics: boolean }
): Effect.Effect<Telemetry> =>
  Effect.map(Effect.serviceOption(ClaudeEvents), (hub) => ({
    spans,
    logs,
    meter: metrics ? new Meter() : undefined,
    hub: Option.getOrUndefined(hub)
  }))

export const telemetry = (given: TelemetryOptions): PolicyLayer => {
  const options = { spans: given.spans ?? true, logs: given.logs ?? true, metrics: given.metrics ?? true }
  return {
    name: "telemetry",
    options,
    build: (inner) => Effect.map(make(options), (made) => ({ service: wrap(inner, made) }))
  }
}

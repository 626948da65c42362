import type { Message, MessageTokensCount } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Duration from "effect/Duration"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import { answeringModel, passedOver, sourceName, tokenUsage } from "./answerFacts.ts"
import type { Operation } from "./Meter.ts"
import { shown } from "./shown.ts"

export type Attributes = Readonly<Record<string, unknown>>

const loggedCharacters = 200

/** The attributes, and those of the stated ones that have a value. */
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

export const verdictName = ({ verdict }: ClaudeError): string => verdict._tag === "Stop" ? "stop" : verdict.kind

/** What a log line says of a failure. */
export const logged = (error: ClaudeError): Attributes =>
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
    reason: "reason" in error ? error.reason : undefined,
    retry_after_ms: millis(error.retryAfter)
  })

export const spanName = (operation: Operation, model: string): string => `${operation} ${shown(model)}`

export interface RequestFacts {
  readonly operation: Operation
  readonly model: string
  readonly maxTokens: unknown
  readonly isStream: boolean
}

export const requestAttributes = ({ isStream, maxTokens, model, operation }: RequestFacts): Record<string, unknown> => {
  const attributes: Record<string, unknown> = {
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": shown(model)
  }
  if (typeof maxTokens === "number") attributes["gen_ai.request.max_tokens"] = maxTokens
  if (isStream) attributes["gen_ai.request.stream"] = true
  return attributes
}

export interface AttemptFacts {
  readonly attempt: number
  readonly hedge: number
  readonly model: string
  /** What the retry waited since the attempt before, and what queues of this program did, in milliseconds. */
  readonly waited: number
  readonly queued: number
}

export const attemptAttributes = ({ attempt, hedge, model, queued, waited }: AttemptFacts): Record<string, unknown> => {
  const attributes: Record<string, unknown> = { "claude.attempt": attempt, "gen_ai.request.model": shown(model) }
  if (hedge > 0) attributes["claude.hedge"] = hedge
  if (waited > 0) attributes["claude.wait_ms"] = waited
  if (queued > 0) attributes["claude.queue_ms"] = queued
  return attributes
}

export const failureAttributes = (error: ClaudeError): Attributes =>
  withStated({ "error.type": error._tag, "claude.verdict": verdictName(error) }, {
    "claude.request_id": error.requestId,
    "http.response.status_code": error.status,
    "claude.error_code": error.errorCode,
    "claude.retry_after_ms": millis(error.retryAfter)
  })

export const messageAttributes = (message: Message, requested: string): Attributes => {
  const info = AnswerInfo.of(message)
  const stopReason: unknown = message.stop_reason
  const attributes: Record<string, unknown> = {
    "gen_ai.response.finish_reasons": typeof stopReason === "string" ? [shown(stopReason)] : [],
    "claude.source": sourceName(info.source),
    "claude.attempt": info.attempt
  }
  if (info.passedOver.length > 0) attributes["claude.passed_over"] = passedOver(info.passedOver)
  // An answer that nobody made for this call used no tokens for it.
  const usage = answeringModel(info.source, requested) === undefined ? undefined : tokenUsage(message)
  return withStated(attributes, {
    "gen_ai.response.id": message.id,
    "gen_ai.response.model": message.model,
    "gen_ai.usage.input_tokens": usage?.input,
    "gen_ai.usage.output_tokens": usage?.output,
    "gen_ai.usage.cache_read.input_tokens": usage?.cacheRead,
    "gen_ai.usage.cache_creation.input_tokens": usage?.cacheCreation,
    "gen_ai.usage.reasoning.output_tokens": usage?.thinking,
    "claude.request_id": info.requestId
  })
}

/** Not the tokens of an answer, so not under the name that whoever adds those up looks for. */
export const countAttributes = (count: MessageTokensCount): Attributes => ({
  "claude.counted_tokens": count.input_tokens
})

import * as Effect from "effect/Effect"
import { type AnswerMessage, answerMessage } from "./AnswerMessage.ts"
import { errorBody, type PlannedError, statusOf } from "./ApiErrors.ts"
import { sendBody } from "./BodyAnswer.ts"
import type { Exchange, ResponseHeaders } from "./Exchange.ts"
import type { RateLimitHeaders } from "./RateLimitHeaders.ts"
import { type checkRequest, isApiErrorAnswer } from "./RequestCheck.ts"
import { healthy } from "./StepQueue.ts"
import type { CapacityStep, MessageStep, ResponseStep, Step } from "./StepSchema.ts"
import { sendStream } from "./StreamAnswer.ts"
import { estimateInputTokens } from "./TokenEstimate.ts"

type FaultStep = typeof Step.Type
type PlannedHeaders = { readonly [name: string]: string | null } | undefined

export interface AnswerContext {
  readonly exchange: Exchange
  /** The request, or the answer to one that the API refuses. */
  readonly checked: ReturnType<typeof checkRequest>
  readonly rateLimits: RateLimitHeaders
  /** How many requests each capacity step is serving. */
  readonly serving: Map<FaultStep, number>
}

const organizationId = "00000000-0000-4000-8000-00000000fa4e"

/** Answers one request as a step says. */
export const answerStep = (step: FaultStep, context: AnswerContext): Effect.Effect<void> => {
  const answer = answerOf(step, context)
  return step.delay === undefined ? answer : Effect.delay(answer, step.delay)
}

const answerOf = (step: FaultStep, context: AnswerContext): Effect.Effect<void> => {
  switch (step.kind) {
    case "message":
      return answerMessageStep(step, context)
    case "error":
      return answerError(context, step.status, step.error, step.headers)
    case "response":
      return answerResponse(step, context)
    case "disconnect":
      return context.exchange[step.how]
    case "capacity":
      return answerWithinCapacity(step, context)
  }
}

const answerMessageStep = (step: typeof MessageStep.Type, context: AnswerContext): Effect.Effect<void> => {
  const { checked, exchange } = context
  if (isApiErrorAnswer(checked)) {
    return answerError(context, checked.status, checked.error, undefined)
  }
  if (step.interrupt?.how === "error" && !checked.stream) {
    const error = step.interrupt.error ?? { type: step.interrupt.data === undefined ? "overloaded_error" : "api_error" }
    return answerError(context, statusOf(error.type), error, step.headers)
  }
  const inputTokens = estimateInputTokens(checked.fields)
  if (checked.endpoint === "countTokens") {
    return answerJson(step, context, { input_tokens: inputTokens }, { inputTokens: 0, outputTokens: 0 })
  }
  const message = answerMessage(step, {
    id: `msg_fake${String(exchange.entry.number).padStart(20, "0")}`,
    model: checked.model,
    inputTokens
  })
  const used = tokensUsed(message)
  return checked.stream
    ? sendStream(exchange, step, { message, headers: apiHeaders(context, step.headers, used) })
    : answerJson(step, context, message, used)
}

const tokensUsed = ({ usage }: AnswerMessage) => ({
  // What is read from the cache does not count towards the limit.
  inputTokens: usage.input_tokens + (usage.cache_creation_input_tokens ?? 0),
  outputTokens: usage.output_tokens
})

const answerJson = (
  step: typeof MessageStep.Type,
  context: AnswerContext,
  body: AnswerMessage | { readonly input_tokens: number },
  used: { readonly inputTokens: number; readonly outputTokens: number }
): Effect.Effect<void> =>
  sendBody(context.exchange, {
    status: 200,
    headers: { "content-type": "application/json", ...apiHeaders(context, step.headers, used) },
    body: Buffer.from(JSON.stringify(body)),
    bodyDelay: step.bodyDelay,
    chunkBytes: step.chunkBytes,
    interrupt: step.interrupt?.how === "error" ? undefined : step.interrupt
  })

const answerError = (
  context: AnswerContext,
  status: number,
  error: PlannedError,
  headers: PlannedHeaders
): Effect.Effect<void> =>
  sendBody(context.exchange, {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 405 ? { allow: "POST" } : {}),
      ...apiHeaders(context, headers, { inputTokens: 0, outputTokens: 0 })
    },
    body: Buffer.from(JSON.stringify(errorBody(error, context.exchange.entry.requestId)))
  })

const answerResponse = (step: typeof ResponseStep.Type, { exchange }: AnswerContext): Effect.Effect<void> => {
  const text = typeof step.body === "string"
  const body = step.body === undefined ? "" : text ? step.body : JSON.stringify(step.body)
  return sendBody(exchange, {
    status: step.status,
    headers: present({
      "content-type": step.contentType ?? (text ? "text/plain; charset=utf-8" : "application/json"),
      ...lowerCased(step.headers)
    }),
    body: Buffer.from(body),
    bodyDelay: step.bodyDelay,
    chunkBytes: step.chunkBytes,
    interrupt: step.interrupt
  })
}

const answerWithinCapacity = (step: typeof CapacityStep.Type, context: AnswerContext): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { serving } = context
    const others = serving.get(step) ?? 0
    if (others >= step.limit) return answerError(context, 529, { type: "overloaded_error" }, undefined)
    serving.set(step, others + 1)
    return Effect.delay(answerStep(healthy, context), step.serviceTime).pipe(
      Effect.ensuring(Effect.sync(() => {
        serving.set(step, (serving.get(step) ?? 1) - 1)
      }))
    )
  })

const apiHeaders = (
  { exchange, rateLimits }: AnswerContext,
  planned: PlannedHeaders,
  used: { readonly inputTokens: number; readonly outputTokens: number }
): ResponseHeaders =>
  present({
    "request-id": exchange.entry.requestId,
    "anthropic-organization-id": organizationId,
    ...rateLimits.take(used, Date.now()),
    ...lowerCased(planned)
  })

const lowerCased = (headers: PlannedHeaders) =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))

const present = (headers: { readonly [name: string]: string | null }): ResponseHeaders =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => value === null ? [] : [[name, value]]))

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Admitted } from "./Admission.ts"
import { type AnswerMessage, answerMessage } from "./AnswerMessage.ts"
import { errorBody, type PlannedError, statusOf } from "./ApiErrors.ts"
import { afterPause, sendBody } from "./BodyAnswer.ts"
import type { ConnectFailure, ResponseHeaders } from "./Connection.ts"
import type { Exchange } from "./Exchange.ts"
import { rateLimitHeaders } from "./RateLimitHeaders.ts"
import type { LimitName, Refusal } from "./RateLimits.ts"
import { type checkRequest, isApiErrorAnswer } from "./RequestCheck.ts"
import type { ServerClock } from "./ServerClock.ts"
import { healthy } from "./StepQueue.ts"
import type { CapacityStep, DisconnectStep, ErrorStep, MessageStep, ResponseStep, Step } from "./StepSchema.ts"
import { sendStream } from "./StreamAnswer.ts"
import { estimateInputTokens } from "./TokenEstimate.ts"

type FaultStep = typeof Step.Type
type PlannedHeaders = { readonly [name: string]: string | null } | undefined

export interface AnswerContext {
  readonly exchange: Exchange
  /** The request, or the answer to one that the API refuses. */
  readonly checked: ReturnType<typeof checkRequest>
  readonly admitted: Admitted
  /** How many requests each capacity step is serving. */
  readonly serving: Map<FaultStep, number>
  readonly clock: ServerClock
}

const organizationId = "00000000-0000-4000-8000-00000000fa4e"
const workspaceId = "wrkspc_fake00000000000000000001"

/** Answers one request as a step says. */
export const answerStep = (step: FaultStep, context: AnswerContext): Effect.Effect<void> => {
  const answer = answerOf(step, context)
  const delay = step.delay ?? (step.kind === "unreachable" ? connectTime(step.code) : undefined)
  return delay === undefined ? answer : Effect.delay(answer, delay)
}

// What Node's fetch waits for a connection.
const connectTime = (code: ConnectFailure): Duration.Duration | undefined =>
  code === "UND_ERR_CONNECT_TIMEOUT" ? Duration.seconds(10) : undefined

const answerOf = (step: FaultStep, context: AnswerContext): Effect.Effect<void> => {
  switch (step.kind) {
    case "message":
      return answerMessageStep(step, context)
    case "error":
      // After the delay: times in its headers count from the answer.
      return Effect.suspend(() => answerErrorStep(step, context))
    case "response":
      return answerResponse(step, context)
    case "disconnect":
      return answerDisconnect(step, context)
    case "unreachable":
      return context.exchange.fail(step.code)
    case "capacity":
      return answerWithinCapacity(step, context)
  }
}

const answerErrorStep = (step: typeof ErrorStep.Type, context: AnswerContext): Effect.Effect<void> =>
  answerError(context, step.status, step.error, {
    headers: { ...retryDate(step.retryAt, context.clock.now()), ...step.headers },
    limit: step.limit
  })

// A date has whole seconds. It is rounded up: who comes back then waited for all of the time.
const retryDate = (wait: Duration.Duration | undefined, now: number) =>
  wait === undefined
    ? undefined
    : { "retry-after": new Date(Math.ceil((now + Duration.toMillis(wait)) / 1000) * 1000).toUTCString() }

const answerMessageStep = (step: typeof MessageStep.Type, context: AnswerContext): Effect.Effect<void> => {
  const { checked, exchange } = context
  if (isApiErrorAnswer(checked)) {
    return answerError(context, checked.status, checked.error)
  }
  if (step.interrupt?.how === "error" && !checked.stream) {
    const error = step.interrupt.error ?? { type: step.interrupt.data === undefined ? "overloaded_error" : "api_error" }
    return answerError(context, statusOf(error.type), error, { headers: step.headers })
  }
  const inputTokens = estimateInputTokens(checked.fields)
  if (checked.endpoint === "countTokens") return answerJson(step, context, { input_tokens: inputTokens })
  const message = answerMessage(step, checked, {
    number: exchange.entry.number,
    inputTokens,
    tier: context.admitted.tier
  })
  context.admitted.settleInput(inputUsed(message))
  if (!checked.stream) {
    context.admitted.produce(message.usage.output_tokens)
    return answerJson(step, context, message)
  }
  return sendStream(exchange, step, {
    message,
    requestedModel: checked.model,
    headers: apiHeaders(context, step.headers),
    onOutput: (tokens) => context.admitted.produce(tokens)
  })
}

// What is read from the cache does not count towards the limit.
const inputUsed = ({ usage }: AnswerMessage): number => usage.input_tokens + (usage.cache_creation_input_tokens ?? 0)

export const answerJson = (
  step: typeof MessageStep.Type,
  context: AnswerContext,
  body: object
): Effect.Effect<void> =>
  sendBody(context.exchange, {
    status: 200,
    headers: { "content-type": "application/json", ...apiHeaders(context, step.headers) },
    body: Buffer.from(JSON.stringify(body)),
    bodyDelay: step.bodyDelay,
    chunkBytes: step.chunkBytes,
    chunkDelay: step.chunkDelay,
    interrupt: step.interrupt?.how === "error" ? undefined : step.interrupt
  })

export const answerError = (
  context: AnswerContext,
  status: number,
  error: PlannedError,
  { headers, limit }: { readonly headers?: PlannedHeaders; readonly limit?: LimitName | undefined } = {}
): Effect.Effect<void> => {
  // What failed read nothing.
  context.admitted.settleInput(0)
  return sendBody(context.exchange, {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 405 ? { allow: "POST" } : {}),
      ...apiHeaders(context, headers, limit)
    },
    body: Buffer.from(JSON.stringify(errorBody(error, context.exchange.entry.requestId)))
  })
}

const limitTexts: Readonly<Record<Exclude<Refusal["limit"], "ramp">, string>> = {
  requests: "requests",
  inputTokens: "input tokens",
  outputTokens: "output tokens"
}

/** Answers a request that a rate limit did not let in; the wait is in whole seconds, as the API sends it. */
export const answerRefusal = (refusal: Refusal, context: AnswerContext): Effect.Effect<void> =>
  answerError(
    context,
    429,
    { type: "rate_limit_error", ...refusalReason(refusal) },
    { headers: { "retry-after": String(Math.ceil(refusal.wait / 1000)) } }
  )

const refusalReason = ({ limit, size, tier }: Refusal) => {
  if (limit === "ramp") {
    return {
      message: "This request would exceed the limit on how fast usage may grow",
      details: { error_code: "ramp_limit_exceeded" }
    }
  }
  const mode = tier === "fast" && limit !== "requests" ? " in fast mode" : ""
  return { message: `This request would exceed the limit of ${size} ${limitTexts[limit]}${mode}` }
}

/** Breaks the connection, in the middle of the status line and the headers of an answer if the step says where. */
const answerDisconnect = (
  { afterBytes = 0, how }: typeof DisconnectStep.Type,
  context: AnswerContext
): Effect.Effect<void> => {
  const { exchange } = context
  if (afterBytes === 0) return exchange.break(how)
  return Effect.suspend(() => {
    const lines = Object.entries({ "content-type": "application/json", ...apiHeaders(context, undefined) })
      .map(([name, value]) => `${name}: ${value}\r\n`)
    const head = Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join("")}`)
    exchange.connection.writeRaw(head.subarray(0, afterBytes))
    return afterPause(exchange.break(how), exchange.connection.breakPause)
  })
}

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
    chunkDelay: step.chunkDelay,
    interrupt: step.interrupt
  })
}

const answerWithinCapacity = (step: typeof CapacityStep.Type, context: AnswerContext): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { serving } = context
    const others = serving.get(step) ?? 0
    if (others >= step.limit) {
      return answerError(context, 529, { type: "overloaded_error" }, {
        headers: step.retryAfter === undefined
          ? undefined
          : { "retry-after": String(Duration.toSeconds(step.retryAfter)) }
      })
    }
    serving.set(step, others + 1)
    return Effect.delay(answerStep(healthy, context), step.serviceTime).pipe(
      Effect.ensuring(Effect.sync(() => {
        serving.set(step, (serving.get(step) ?? 1) - 1)
      }))
    )
  })

export const apiHeaders = (
  { admitted, clock, exchange }: AnswerContext,
  planned: PlannedHeaders,
  exhausted?: LimitName
): ResponseHeaders =>
  present({
    "request-id": exchange.entry.requestId,
    "anthropic-organization-id": organizationId,
    "anthropic-workspace-id": workspaceId,
    ...rateLimitHeaders(admitted.limits, admitted.tier, clock.now(), exhausted),
    ...lowerCased(planned)
  })

const lowerCased = (headers: PlannedHeaders) =>
  headers === undefined
    ? undefined
    : Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const present = (headers: { readonly [name: string]: string | null }): ResponseHeaders => {
  const sent: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === "string") sent[name] = value
  }
  return sent
}

import { APIConnectionTimeoutError } from "@anthropic-ai/sdk/error"
import type { ApiError, ClaudeError, PartialAnswer } from "@effect-claude/client/ClaudeError"
import { InvalidResponseError, StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { StepCall } from "./Step.ts"

// Failures of the wire take the way of the real client, from what Node's `fetch` throws, so that they look the same.

const streaming = (call: StepCall, partial: PartialAnswer): SdkFailure.Context => ({
  attempt: call.attempt,
  model: call.model,
  requestId: call.requestId,
  streaming: true,
  partial
})

const notStreaming = ({ attempt, model }: StepCall): SdkFailure.Context => ({ attempt, model })

const lostConnection = (code: string): TypeError =>
  new TypeError("terminated", { cause: Object.assign(new Error("other side closed"), { code }) })

/** The connection is lost while the body of an answer arrives. */
export const cutBody = (call: StepCall): ClaudeError =>
  SdkFailure.fromThrown(lostConnection("UND_ERR_SOCKET"), notStreaming(call))

/** The connection is lost while a stream arrives. */
export const cutStream = (call: StepCall, partial: PartialAnswer, code = "UND_ERR_SOCKET"): ClaudeError =>
  SdkFailure.fromThrown(lostConnection(code), streaming(call, partial))

/** The body of an answer ends before its JSON does. */
export const truncatedBody = (call: StepCall): ClaudeError =>
  SdkFailure.fromThrown(new SyntaxError("Unexpected end of JSON input"), notStreaming(call))

/** A stream ends in good order before its message does. */
export const endedEarly = (call: StepCall, partial: PartialAnswer): ClaudeError => {
  const { attempt, model, requestId } = call
  const fields = { attempt, model, requestId, partial }
  return partial.events === 0
    ? new InvalidResponseError({ message: "The stream ended without a single event", ...fields })
    : new StreamInterruptedError({ message: "The stream ended without message_stop", ...fields })
}

/** No headers arrive within the limit that the timeout layer has set for them. */
export const headersTimedOut = (call: StepCall, headersTimeout: Duration.Duration): ClaudeError =>
  SdkFailure.fromThrown(new APIConnectionTimeoutError(), { ...notStreaming(call), headersTimeout })

/**
 * An error of the API as an `error` event inside a stream: it has neither status nor headers, so its type and code alone
 * say what it is.
 */
export const errorEvent = (call: StepCall, partial: PartialAnswer, error: ApiError): ClaudeError =>
  SdkFailure.fromAnswer({
    headers: new Headers({ "request-id": error.requestId ?? call.requestId }),
    body: {
      type: "error",
      error: {
        ...(error.errorType === undefined ? undefined : { type: error.errorType }),
        message: error.message,
        ...(error.details === undefined ? undefined : { details: error.details })
      }
    }
  }, streaming({ ...call, attempt: error.attempt ?? call.attempt, model: error.model ?? call.model }, partial))

/** Fails with an error that may speak of the time. */
export const failNow = (error: (now: number) => ClaudeError): Effect.Effect<never, ClaudeError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(error(now)))

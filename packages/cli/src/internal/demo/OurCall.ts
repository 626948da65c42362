import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { fallbackModel, model, type Scenario } from "./Scenario.ts"
import type { Ended } from "./SdkCall.ts"

/** What the demo tells `ClaudeLayer.standard`, short enough to be watched. */
export const options = {
  deadline: "8 seconds",
  attemptTimeout: { firstEvent: "1 second", idle: "1 second", attempt: "1500 millis" },
  fallback: { models: [fallbackModel] },
  telemetry: { spans: false, logs: false }
} as const

const answered = (message: Message): Ended => {
  const { attempt, source } = AnswerInfo.of(message)
  const from = source._tag === "Model" ? `answer of ${source.model}` : "answer"
  return { ending: "answered", what: attempt === 1 ? from : `${from}, attempt ${attempt}`, tag: null }
}

const failed = (error: ClaudeError): Ended => {
  const facts = [
    ...(error.retryAfter === undefined ? [] : [`wait ${Duration.format(error.retryAfter)}`]),
    ...(error.errorCode === undefined ? [] : [error.errorCode]),
    ...("partial" in error && error.partial !== undefined ? [`${error.partial.text.length} characters kept`] : [])
  ]
  return { ending: "failed", what: [error._tag, ...facts].join(", "), tag: error._tag }
}

/** One call through `ClaudeLayer.standard`. */
export const callOurs = (scenario: Scenario, baseUrl: string): Effect.Effect<Ended> => {
  const Claude = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-demo"), baseUrl }).pipe(
    ClaudeLayer.standard(options)
  )
  const request = { model, max_tokens: 256, messages: [{ role: "user" as const, content: "Tell me a short story" }] }
  const call = Effect.gen(function*() {
    const claude = yield* ClaudeService
    if (!scenario.stream) return answered(yield* claude.createMessage(request))
    const message = yield* MessageEvents.message(claude.streamMessage(request))
    return message === undefined ? { ending: "wrong" as const, what: "no message", tag: null } : answered(message)
  })
  return call.pipe(
    Effect.catch((error) => Effect.succeed(failed(error))),
    Effect.provide(Layer.fresh(Claude))
  )
}

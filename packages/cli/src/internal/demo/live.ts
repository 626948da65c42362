import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** One real call, with the key of the environment, through the standard pipeline. */
export const runLive = (options: { readonly model: string; readonly json: boolean }) =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const message = yield* claude.createMessage({
      model: options.model,
      max_tokens: 64,
      messages: [{ role: "user", content: "Say hello in five words." }]
    })
    const { attempt, requestId } = AnswerInfo.of(message)
    const text = message.content.map((block) => block.type === "text" ? block.text : "").join("")
    if (options.json) {
      return yield* Console.log(
        JSON.stringify({ text, model: message.model, usage: message.usage, requestId, attempt })
      )
    }
    yield* Console.log(text)
    yield* Console.log(
      `${message.model}, ${message.usage.input_tokens} tokens in, ${message.usage.output_tokens} out, `
        + `attempt ${attempt}, request ${requestId ?? "without an id"}`
    )
  }).pipe(Effect.provide(AnthropicClient.layerConfig.pipe(ClaudeLayer.standard({ deadline: "1 minute" }))))

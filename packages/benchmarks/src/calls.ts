import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compare } from "./compare.ts"
import { answeringClient, request } from "./stubs.ts"

const bare = AnthropicClient.fromClient(answeringClient)

const build = (layer: Layer.Layer<ClaudeService>): Promise<ClaudeServiceShape> =>
  Effect.runPromise(Effect.scoped(Layer.build(layer))).then((context) => Context.get(context, ClaudeService))

/** A successful call: the whole pipeline, parts of it, and the plain SDK, over a bare client with a stubbed `fetch`. */
export const benchCalls = async (): Promise<ReadonlyArray<string>> => {
  const layers = {
    "bare AnthropicClient": bare,
    "standard() without telemetry": bare.pipe(ClaudeLayer.standard({ telemetry: false })),
    "standard()": bare.pipe(ClaudeLayer.standard()),
    "standard() with a fallback": bare.pipe(ClaudeLayer.standard({ fallback: { models: ["claude-haiku-5-5"] } }))
  }
  const contestants = []
  for (const [name, layer] of Object.entries(layers)) {
    const claude = await build(layer)
    contestants.push({ name, run: () => Effect.runPromise(claude.createMessage(request)) })
  }
  return compare([
    ...contestants,
    { name: "plain SDK", run: () => answeringClient.messages.create(request, { maxRetries: 0 }) }
  ])
}

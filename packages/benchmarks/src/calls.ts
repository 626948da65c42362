import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contestant } from "./compare.ts"
import { answeringClient, request } from "./stubs.ts"

const bare = AnthropicClient.fromClient(answeringClient)

const contestant = (name: string, layer: Layer.Layer<ClaudeService>) =>
  Effect.map(Layer.build(layer), (context): Contestant => {
    const claude = Context.get(context, ClaudeService)
    return { name, run: () => Effect.runPromise(claude.createMessage(request)) }
  })

/** A successful call with the client: the whole pipeline, and the plain SDK, over a stubbed `fetch`. */
export const calls = Effect.gen(function*() {
  const contestants: ReadonlyArray<Contestant> = [
    yield* contestant("bare AnthropicClient", bare),
    yield* contestant("standard() without telemetry", bare.pipe(ClaudeLayer.standard({ telemetry: false }))),
    yield* contestant("standard()", bare.pipe(ClaudeLayer.standard())),
    yield* contestant(
      "standard() with a fallback",
      bare.pipe(ClaudeLayer.standard({ fallback: { models: ["claude-haiku-5-5"] } }))
    ),
    { name: "plain SDK", run: () => answeringClient.messages.create(request, { maxRetries: 0 }) }
  ]
  return contestants
})

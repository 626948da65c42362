import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type { ClaudeServiceShape, MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Reply from "../../Reply.ts"
import type { KeyedPolicy } from "./CacheLaw.ts"
import type { FallbackPolicy } from "./FallbackLaw.ts"
import { targetNames } from "./FallbackLaw.ts"
import type { Policy } from "./Subject.ts"

/**
 * What puts a policy around a `ClaudeService`: what `ClaudeLayer.with*` return, or several of them in a row.
 *
 * @category models
 * @since 0.1.0
 */
export type PolicyLayer<E = unknown> = (base: Layer.Layer<ClaudeService>) => Layer.Layer<ClaudeService, E>

type Answer = (request: MessageRequest) => Effect.Effect<string, ClaudeError>

/** Who answers the calls that are made in this context. */
const CurrentAnswer = Context.Reference<Answer>("@effect-claude/testing/PolicyLaws/CurrentAnswer", {
  defaultValue: (): Answer => () => Effect.die(new Error("PolicyLaws: a policy called the service out of any call"))
})

const base: ClaudeServiceShape = {
  createMessage: (request) =>
    Effect.flatMap(
      CurrentAnswer,
      (answer) => Effect.map(answer(request), (text) => Reply.message(text, { model: request.model }))
    ),
  streamMessage: () => Stream.die(new Error("PolicyLaws: laws are tried with createMessage")),
  countTokens: () => Effect.die(new Error("PolicyLaws: laws are tried with createMessage")),
  policies: []
}

const requestOf = (text: string): MessageRequest => ({
  model: targetNames[0],
  max_tokens: 100,
  messages: [{ role: "user", content: text }]
})

const textOf = ({ content }: { readonly content: ReadonlyArray<{ readonly type: string }> }): string =>
  content.flatMap((block) => block.type === "text" && "text" in block ? [String(block.text)] : []).join("")

const serviceOf = <E>(layer: PolicyLayer<E>): Effect.Effect<ClaudeServiceShape, E, Scope.Scope> =>
  // A layer that is made anew, as layers are remembered within a build.
  Effect.map(
    Layer.build(layer(Layer.effect(ClaudeService, Effect.succeed(base)))),
    (context) => Context.get(context, ClaudeService)
  )

export const policy = <E>(layer: PolicyLayer<E>): Effect.Effect<Policy<ClaudeError>, E, Scope.Scope> =>
  Effect.map(serviceOf(layer), (service) => (call) =>
    Effect.map(
      Effect.provideService(service.createMessage(requestOf("law")), CurrentAnswer, () => call),
      textOf
    ))

export const keyed = <E>(layer: PolicyLayer<E>): Effect.Effect<KeyedPolicy<ClaudeError>, E, Scope.Scope> =>
  Effect.map(serviceOf(layer), (service) => (key, call) =>
    Effect.map(
      Effect.provideService(service.createMessage(requestOf(key)), CurrentAnswer, () => call),
      textOf
    ))

const sourceOf = (info: AnswerInfo.AnswerInfo): string => {
  const { source } = info
  if (source._tag === "Requested") return targetNames[0]
  return source._tag === "Model" ? source.model : source._tag
}

export const fallback = <E>(
  layer: (models: ReadonlyArray<string>) => PolicyLayer<E>
): Effect.Effect<FallbackPolicy<ClaudeError>, E, Scope.Scope> =>
  Effect.map(serviceOf(layer(targetNames.slice(1))), (service) => (targets) => {
    const answer: Answer = ({ model }) =>
      targets.find(({ name }) => name === model)?.effect
        ?? Effect.die(new Error(`PolicyLaws: the model ${model} is none of the targets`))
    return Effect.map(
      Effect.provideService(service.createMessage(requestOf("law")), CurrentAnswer, answer),
      (message) => ({ source: sourceOf(AnswerInfo.of(message)) })
    )
  })

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ClaudeError } from "../../../ClaudeError.ts"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "../../../ClaudeService.ts"
import { observeAttempts } from "../attempts.ts"
import type { Adaptation, Chains, CheckedTarget, StaticTarget } from "./targets.ts"

/** A target that sends a request, to the service inside of the fallback or to one of its own. */
export interface Sender {
  readonly _tag: "Sender"
  readonly name: string
  /** `undefined` for the model that was asked for. */
  readonly model: string | undefined
  readonly service: ClaudeServiceShape
  readonly adaptation: Adaptation
}

/** A target that is ready to be asked. */
export type Target =
  | Sender
  | { readonly _tag: "Cached"; readonly name: string }
  | { readonly _tag: "Static"; readonly name: string; readonly answer: StaticTarget["answer"] }
  | {
    readonly _tag: "HandOff"
    readonly name: string
    readonly handOff: (request: MessageRequest, error: ClaudeError) => Effect.Effect<Message | string, ClaudeError>
  }

/** The service inside of a fallback, and whom it asks in its place. */
export interface Plan {
  readonly own: ClaudeServiceShape
  readonly chains: Chains<Target>
}

/** Builds the layers of the targets, each once, and closes them with the scope. */
export const buildPlan = <E, R>(
  chains: Chains<CheckedTarget<E, R>>,
  own: ClaudeServiceShape
): Effect.Effect<Plan, E, R | Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    const services = new Map<Layer.Layer<ClaudeService, E, R> | undefined, ClaudeServiceShape>([[undefined, own]])

    const serviceOf = (layer: Layer.Layer<ClaudeService, E, R> | undefined) => {
      const built = services.get(layer)
      if (built !== undefined || layer === undefined) return Effect.succeed(built ?? own)
      return Effect.map(Layer.build(layer), (context) => {
        const service = observeAttempts(Context.get(context, ClaudeService))
        services.set(layer, service)
        return service
      })
    }

    const ready = (target: CheckedTarget<E, R>): Effect.Effect<Target, E, R | Scope.Scope> => {
      switch (target._tag) {
        case "Sender": {
          const { layer, ...sender } = target
          return Effect.map(serviceOf(layer), (service) => ({ ...sender, service }))
        }
        case "HandOff":
          return Effect.succeed({
            ...target,
            handOff: (request, error) =>
              Effect.updateContext(
                Effect.suspend(() => target.handOff(request, error)),
                (call: Context.Context<never>) => Context.merge(context, call)
              )
          })
        default:
          return Effect.succeed(target)
      }
    }

    const { contextOverflow, main, refusal } = chains
    return {
      own,
      chains: {
        main: yield* Effect.forEach(main, ready),
        ...(refusal === undefined ? undefined : { refusal: yield* Effect.forEach(refusal, ready) }),
        ...(contextOverflow === undefined
          ? undefined
          : { contextOverflow: yield* Effect.forEach(contextOverflow, ready) })
      }
    }
  })

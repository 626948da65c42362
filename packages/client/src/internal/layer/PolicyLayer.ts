import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ClaudeService, type ClaudeServiceShape, type Policy } from "../../ClaudeService.ts"
import { observeAttempts } from "./attempts.ts"
import { checkComposition } from "./composition.ts"

/**
 * Wraps the `ClaudeService` of a layer and keeps whatever else the layer provides.
 *
 * Always a function, never a `Layer<ClaudeService, never, ClaudeService>` value: layers are memoised by reference within a
 * build, so one value over two bases would quietly wire both to the first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Combinator<E2 = never, R2 = never> {
  <A, E, R>(base: Layer.Layer<A, E, R>): Layer.Layer<A | ClaudeService, E | E2, R | Exclude<ClaudeService | R2, A>>
}

/** A service with a policy around it, and what the policy can be read and set by. */
interface Wrapped {
  readonly service: ClaudeServiceShape
  readonly control?: unknown
}

/** A policy before it is put around anything: what it is, and how it wraps a service. */
export interface PolicyLayer<out E = never, out R = never> extends Policy {
  readonly build: (inner: ClaudeServiceShape) => Effect.Effect<Wrapped, E, R | Scope.Scope>
}

/** A policy that remembers nothing from one call to the next. */
export const stateless = (
  policy: Policy & { readonly wrap: (inner: ClaudeServiceShape) => ClaudeServiceShape }
): PolicyLayer => ({
  name: policy.name,
  options: policy.options,
  build: (inner) => Effect.sync(() => ({ service: policy.wrap(inner) }))
})

/** A policy whose calls share a state, made once for each layer that is built and handed out as its control. */
export const stateful = <State, E = never, R = never>(
  policy: Policy & {
    readonly make: Effect.Effect<State, E, R | Scope.Scope>
    readonly wrap: (inner: ClaudeServiceShape, state: State) => ClaudeServiceShape
  }
): PolicyLayer<E, R> => ({
  name: policy.name,
  options: policy.options,
  build: (inner) => Effect.map(policy.make, (state) => ({ service: policy.wrap(inner, state), control: state }))
})

const apply = <E, R>(
  inner: ClaudeServiceShape,
  { build, name, options }: PolicyLayer<E, R>
): Effect.Effect<ClaudeServiceShape, E, R | Scope.Scope> =>
  Effect.suspend(() => {
    const policies = inner.policies ?? []
    checkComposition({ name, options }, policies)
    return Effect.map(build(observeAttempts(inner, name)), ({ control, service }) => ({
      ...service,
      policies: [{ name, options, ...(control === undefined ? undefined : { control }) }, ...policies]
    }))
  })

/** The combinator that puts policies around a service, the innermost first. A composition that cannot work is a defect. */
export const combinator = <E = never, R = never>(
  layers: ReadonlyArray<PolicyLayer<E, R>>
): Combinator<E, Exclude<R, Scope.Scope>> =>
(base) =>
  Layer.provideMerge(
    Layer.effect(
      ClaudeService,
      Effect.flatMap(ClaudeService, (client) =>
        layers.reduce<Effect.Effect<ClaudeServiceShape, E, R | Scope.Scope>>(
          (inner, layer) => Effect.flatMap(inner, (service) => apply(service, layer)),
          Effect.succeed(client)
        ))
    ),
    base
  )

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ClaudeService, type ClaudeServiceShape, type Policy } from "../../ClaudeService.ts"
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
export interface Combinator {
  <A, E, R>(base: Layer.Layer<A, E, R>): Layer.Layer<A | ClaudeService, E, R | Exclude<ClaudeService, A>>
}

/** A policy before it is put around anything: what it is, and how it wraps a service. */
export interface PolicyLayer extends Policy {
  readonly wrap: (inner: ClaudeServiceShape) => ClaudeServiceShape
}

const apply = (inner: ClaudeServiceShape, layer: PolicyLayer): ClaudeServiceShape => {
  const policies = inner.policies ?? []
  const policy: Policy = { name: layer.name, options: layer.options }
  checkComposition(policy, policies)
  return { ...layer.wrap(inner), policies: [policy, ...policies] }
}

/** The combinator that puts policies around a service, the innermost first. A composition that cannot work is a defect. */
export const combinator = (layers: ReadonlyArray<PolicyLayer>): Combinator => (base) =>
  Layer.provideMerge(
    Layer.effect(ClaudeService, Effect.map(ClaudeService, (inner) => layers.reduce(apply, inner))),
    base
  )

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * A signal that fires when the scope closes, from a stack of its own.
 *
 * `Effect.abortSignal` fires from the finalizer's stack. The reason of an abort keeps the stack it was made on, that one
 * leads to the response, and the SDK keeps its own aborted controller for as long as the body of the response lives: a
 * circle through its `FinalizationRegistry` that is never collected, with everything a stream has read in it.
 */
export const scopedSignal: Effect.Effect<AbortSignal, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => queueMicrotask(() => controller.abort()))
  ),
  (controller) => controller.signal
)

import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/**
 * A policy as the laws see it: what it makes of a call.
 *
 * **Details**
 *
 * A call of a law succeeds with a text or fails with a `ClaudeError`, which knows its verdict. A policy for errors of its own
 * gets them by a `mapError` in front of it.
 *
 * @category models
 * @since 0.1.0
 */
export type Policy<E = unknown> = (call: Effect.Effect<string, ClaudeError>) => Effect.Effect<unknown, E>

/**
 * The policy that a law is tried on: a function if it has no state, else an effect that makes one, as each case needs its own.
 *
 * @category models
 * @since 0.1.0
 */
export type Subject<P = Policy, E = unknown> = P | Effect.Effect<P, E, Scope.Scope>

/** Makes the policy for one case. That it cannot be made is a mistake in the test. */
export const make = <P, E>(subject: Subject<P, E>): Effect.Effect<P, never, Scope.Scope> =>
  Effect.isEffect(subject) ? Effect.orDie(subject) : Effect.succeed(subject)

import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import { TracerTimingEnabled } from "effect/References"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Attributes } from "./attributes.ts"

/** What is watched, what it runs with, and who is told of its end. */
export interface Watched<Self, in A, in E> {
  readonly self: Self
  readonly provide: (context: Context.Context<never>) => Context.Context<never>
  readonly ended: (exit: Exit.Exit<A, E>) => Effect.Effect<void> | undefined
}

export interface SpanFacts {
  readonly name: string
  readonly attributes: Record<string, unknown>
}

/** Opens a watch, with the span of it if there is to be one. */
type Open<Self, A, E> = (span: Tracer.Span | undefined) => Watched<Self, A, E>

/**
 * Whether a span would be seen. Effect's own tracer keeps spans for whoever asks for the current one, and gives them to
 * nobody; two of them cost more than the rest of the telemetry of a call.
 */
export const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const { tracer, tracerEnabled } = fiber.cache
  return tracerEnabled && tracer !== undefined && tracer !== Tracer.nativeTracer
}

export const annotate = (span: Tracer.Span, attributes: Attributes): void => {
  for (const name in attributes) span.attribute(name, attributes[name])
}

export const watchEffect = <A, E>(
  fiber: Fiber.Fiber<unknown, unknown>,
  span: SpanFacts | undefined,
  open: Open<Effect.Effect<A, E>, A, E>
): Effect.Effect<A, E> => {
  const run = (span: Tracer.Span | undefined): Effect.Effect<A, E> => {
    const { ended, provide, self } = open(span)
    // As `Effect.updateContext` does it, without a frame of its own: this runs for every call and attempt.
    const outer = fiber.context
    fiber.setContext(provide(outer))
    return Effect.onExitPrimitive(self, (exit) => {
      fiber.setContext(outer)
      return ended(exit)
    })
  }
  return span === undefined
    ? run(undefined)
    : Effect.useSpan(span.name, { kind: "client", attributes: span.attributes }, run)
}

/** How a stream ended. That there is no more is a failure to whoever pulls, and to its scope, and none to us. */
const streamExit = <E>(exit: Exit.Exit<unknown, E>): Exit.Exit<unknown, E> =>
  Exit.isFailure(exit) && Pull.isDoneCause(exit.cause) ? Exit.void : exit

const endSpan = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const now = fiber.getRef(TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : BigInt(0)
    span.end(now, exit)
    return Effect.void
  })

export const watchStream = <A, E>(
  span: SpanFacts | undefined,
  open: Open<Stream.Stream<A, E>, unknown, E>
): Stream.Stream<A, E> => {
  const run = (span: Tracer.Span | undefined): Effect.Effect<Stream.Stream<A, E>, never, Scope.Scope> =>
    Effect.flatMap(Effect.scope, (scope) => {
      const { ended, provide, self } = open(span)
      const close = (exit: Exit.Exit<unknown, E>): Effect.Effect<void> => {
        const done = streamExit(exit)
        const end = ended(done) ?? Effect.void
        return span === undefined ? end : Effect.ensuring(end, endSpan(span, done))
      }
      return Effect.as(
        Scope.addFinalizerExit(scope, (exit) => Effect.suspend(() => close(exit))),
        Stream.updateContext(self, provide)
      )
    })
  return Stream.unwrap(Effect.uninterruptible(
    span === undefined
      ? run(undefined)
      : Effect.flatMap(Effect.makeSpan(span.name, { kind: "client", attributes: span.attributes }), run)
  ))
}

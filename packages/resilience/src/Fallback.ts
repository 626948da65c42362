/**
 * Fallback: asking the next target when one fails, with the source of the answer visible.
 *
 * @since 0.1.0
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { NoInfer } from "effect/Types"
import { failover } from "./internal/Failover.ts"
import { nameOf } from "./internal/OwnVerdict.ts"
import { Preamble } from "./internal/Preamble.ts"
import { recoverableError } from "./internal/RecoverableError.ts"
import { emit, isHeard } from "./ResilienceEvent.ts"

/**
 * A named effect that may answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target<out Name extends string, out A, out E, out R> {
  readonly name: Name
  readonly effect: Effect.Effect<A, E, R>
}

/**
 * A named stream that may answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamTarget<out Name extends string, out A, out E, out R> {
  readonly name: Name
  readonly stream: Stream.Stream<A, E, R>
}

/**
 * The failure of one target.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure<out Name extends string, out E> {
  readonly name: Name
  readonly error: E
}

/**
 * Who answered, and who failed before, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Provenance<out Name extends string, out E> {
  readonly source: Name
  readonly failures: ReadonlyArray<Failure<Name, E>>
}

/**
 * An answer, with its provenance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<out Name extends string, out A, out E> extends Provenance<Name, E> {
  readonly value: A
}

/**
 * A change from a target that failed to the one that is asked next.
 *
 * @category models
 * @since 0.1.0
 */
export interface Switch<out Name extends string, out E> {
  readonly from: Name
  readonly to: Name
  readonly error: E
}

// Constraints that say only "an effect" and "a stream". `Effect<unknown, unknown, unknown>` would say the same, but then
// the compiler takes `unknown` for the types of a target that is itself a generic call, such as `Stream.map(...)`.
interface AnyTarget {
  readonly name: string
  readonly effect: { readonly [Key in Effect.TypeId]: object }
}
interface AnyStreamTarget {
  readonly name: string
  readonly stream: { readonly [Key in Stream.TypeId]: object }
}

type NameOf<Targets extends ReadonlyArray<{ readonly name: string }>> = Targets[number]["name"]
type Effects<Targets extends ReadonlyArray<AnyTarget>> = Targets[number]["effect"]
type SuccessOf<T extends ReadonlyArray<AnyTarget>> = Effects<T> extends Effect.Effect<infer A, infer _E, infer _R> ? A
  : never
type ErrorOf<T extends ReadonlyArray<AnyTarget>> = Effects<T> extends Effect.Effect<infer _A, infer E, infer _R> ? E
  : never
type ServicesOf<T extends ReadonlyArray<AnyTarget>> = Effects<T> extends Effect.Effect<infer _A, infer _E, infer R> ? R
  : never
type Streams<Targets extends ReadonlyArray<AnyStreamTarget>> = Targets[number]["stream"]
type ElementOf<T extends ReadonlyArray<AnyStreamTarget>> = Streams<T> extends Stream.Stream<infer A, infer _E, infer _R>
  ? A
  : never
type StreamErrorOf<T extends ReadonlyArray<AnyStreamTarget>> = Streams<T> extends
  Stream.Stream<infer _A, infer E, infer _R> ? E : never
type StreamServicesOf<T extends ReadonlyArray<AnyStreamTarget>> = Streams<T> extends
  Stream.Stream<infer _A, infer _E, infer R> ? R : never

/**
 * Options of {@link firstOf}.
 *
 * **Details**
 *
 * - `shouldFallback`: holds for the failures after which the next target may answer; another failure ends the whole
 * - `onSwitch`: runs before the next target is asked, to log or count; nothing
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions<in Name extends string, in E, out R2 = never> {
  readonly shouldFallback: (error: E) => boolean
  readonly onSwitch?: ((change: Switch<Name, E>) => Effect.Effect<unknown, never, R2>) | undefined
}

/**
 * Options of {@link firstStreamOf}.
 *
 * **Details**
 *
 * - `isContent`: holds for the elements after which no other target may answer
 * - `isTransparent`: holds for elements that mean nothing and pass at once, such as pings; none
 * - `decorate`: rewrites each element of the target that answers, to show who it is; elements stay as they are
 *
 * The rest is as in {@link FallbackOptions}.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamFallbackOptions<in Name extends string, in A, in E, out R2 = never, out B = A>
  extends FallbackOptions<Name, E, R2>
{
  readonly isContent: (element: A) => boolean
  readonly isTransparent?: ((element: A) => boolean) | undefined
  readonly decorate?: ((element: A, provenance: Provenance<Name, E>) => B) | undefined
}

/**
 * Runs an effect and, each time it fails, the one that `next` answers with. `None` lets the failure through, its cause
 * unchanged.
 *
 * **When to use**
 *
 * Use where the next target depends on the failure, or on what the call has seen so far. {@link firstOf} is the one for a
 * list.
 *
 * **Details**
 *
 * Only typed failures are asked about; defects and interruption pass. Nothing is emitted and nothing is counted: that is
 * for `next` to do.
 *
 * **Example** (Letting the failure name the next target)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Fallback from "@effect-claude/resilience/Fallback"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 *
 * const read = (shard: string): Effect.Effect<string, { readonly movedTo: string }> =>
 *   shard === "b" ? Effect.succeed("row of b") : Effect.fail({ movedTo: "b" })
 *
 * const row = Fallback.cascade(read("a"), ({ movedTo }) => Effect.succeed(Option.some(read(movedTo))))
 *
 * assert.strictEqual(await Effect.runPromise(row), "row of b")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const cascade = <A, E, R, E2 = never, R2 = never>(
  first: Effect.Effect<A, E, R>,
  next: (error: E) => Effect.Effect<Option.Option<Effect.Effect<A, E, R>>, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.catchCause(first, (cause): Effect.Effect<A, E | E2, R | R2> => {
    const error = recoverableError(cause)
    if (Option.isNone(error)) return Effect.failCause(cause)
    return Effect.flatMap(next(error.value), (following) =>
      Option.isNone(following) ? Effect.failCause(cause) : cascade(following.value, next))
  })

/**
 * Options of {@link cascadeStream}.
 *
 * **Details**
 *
 * - `next`: answers a failure with the stream that takes over, or with `None` to let it through
 * - `isContent`: holds for the elements after which no other stream may take over
 * - `isTransparent`: holds for elements that mean nothing and pass at once, such as pings; none
 *
 * @category models
 * @since 0.1.0
 */
export interface CascadeStreamOptions<A, E, R, out E2 = never, out R2 = never> {
  readonly next: (error: E) => Effect.Effect<Option.Option<Stream.Stream<A, E, R>>, E2, R2>
  readonly isContent: (element: A) => boolean
  readonly isTransparent?: ((element: A) => boolean) | undefined
}

/**
 * Runs a stream and, as long as none has shown content, the one that `next` answers its failure with.
 *
 * **When to use**
 *
 * Use as {@link cascade}, for answers that come in pieces. {@link firstStreamOf} is the one for a list.
 *
 * **Details**
 *
 * What a stream emits before its first content is held back and released just before it, so nothing of a stream that
 * failed reaches the consumer. After the first content `next` is not asked any more. The scope of a stream that failed is
 * closed before `next` is asked.
 *
 * **Example** (Taking over from a stream that did not begin)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Fallback from "@effect-claude/resilience/Fallback"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import * as Stream from "effect/Stream"
 *
 * const elements = Fallback.cascadeStream(Stream.concat(Stream.make("start"), Stream.fail("moved to b")), {
 *   next: (error) => Effect.succeed(error === "moved to b" ? Option.some(Stream.make("start", "row of b")) : Option.none()),
 *   isContent: (element) => element !== "start"
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(Stream.runCollect(elements)), ["start", "row of b"])
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const cascadeStream = <A, E, R, E2 = never, R2 = never>(
  first: Stream.Stream<A, E, R>,
  options: CascadeStreamOptions<A, E, R, E2, R2>
): Stream.Stream<A, E | E2, R | R2> =>
  Stream.suspend(() => {
    const preamble = new Preamble<A>(options)
    return failover(
      preamble.hold(first),
      (error): Effect.Effect<Option.Option<Stream.Stream<A, E, R>>, E2, R2> =>
        preamble.committed
          ? Effect.succeedNone
          : Effect.map(options.next(error), Option.map((following) => preamble.hold(following)))
    )
  })

// Two targets of one name would leave the source of an answer in doubt.
const checkTargets = (owner: string, targets: ReadonlyArray<{ readonly name: string }>): void => {
  if (targets.length === 0) throw new RangeError(`Fallback.${owner}: option "targets" must hold at least one target`)
  const seen = new Set<string>()
  for (const { name } of targets) {
    if (seen.has(name)) {
      throw new RangeError(`Fallback.${owner}: option "targets" must not name two targets ${JSON.stringify(name)}`)
    }
    seen.add(name)
  }
}

/** The targets of one call, in order: who is asked, and who failed before. */
class Order<Name extends string, T extends { readonly name: Name }, E, R2> {
  target: T
  failures: ReadonlyArray<Failure<Name, E>> = []
  private index = 0
  private readonly targets: ReadonlyArray<T>
  private readonly options: FallbackOptions<Name, E, R2>

  constructor(targets: NonEmptyReadonlyArray<T>, options: FallbackOptions<Name, E, R2>) {
    this.targets = targets
    this.options = options
    this.target = targets[0]
  }

  get provenance(): Provenance<Name, E> {
    return { source: this.target.name, failures: this.failures }
  }

  next(error: E): Effect.Effect<Option.Option<T>, never, R2> {
    return Effect.withFiber((fiber) => {
      const following = this.targets[this.index + 1]
      if (following === undefined || !this.options.shouldFallback(error)) return Effect.succeedNone
      const from = this.target.name
      const to = following.name
      if (isHeard(fiber)) emit(fiber, { _tag: "FallbackSwitched", from, to, error: nameOf(error) })
      this.failures = [...this.failures, { name: from, error }]
      this.index += 1
      this.target = following
      const some = Effect.succeedSome(following)
      return this.options.onSwitch === undefined
        ? some
        : Effect.andThen(this.options.onSwitch({ from, to, error }), some)
    })
  }
}

/**
 * Asks the targets in order until one answers, and says who it was.
 *
 * **When to use**
 *
 * Use outside of retries: each target then brings its own retry, and only a failure that outlived it falls through.
 *
 * **Details**
 *
 * The answer names its source and lists the failures before it. The first failure for which `shouldFallback` does not
 * hold, or else the failure of the last target, fails the whole with its cause unchanged. Defects and interruption never
 * fall through. No target, or two of one name, throws a `RangeError`.
 *
 * **Example** (Falling back to a static answer)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Fallback from "@effect-claude/resilience/Fallback"
 * import * as Effect from "effect/Effect"
 *
 * const answer = Fallback.firstOf([
 *   { name: "primary", effect: Effect.fail("overloaded" as const) },
 *   { name: "static", effect: Effect.succeed("Please try again later.") }
 * ], { shouldFallback: (error) => error === "overloaded" })
 *
 * assert.deepStrictEqual(await Effect.runPromise(answer), {
 *   value: "Please try again later.",
 *   source: "static",
 *   failures: [{ name: "primary", error: "overloaded" }]
 * })
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const firstOf = <const Targets extends NonEmptyReadonlyArray<AnyTarget>, R2 = never>(
  targets: Targets,
  options: FallbackOptions<NameOf<Targets>, NoInfer<ErrorOf<Targets>>, R2>
): Effect.Effect<
  Answer<NameOf<Targets>, SuccessOf<Targets>, ErrorOf<Targets>>,
  ErrorOf<Targets>,
  ServicesOf<Targets> | R2
> => {
  checkTargets("firstOf", targets)
  type A = SuccessOf<Targets>
  type E = ErrorOf<Targets>
  type R = ServicesOf<Targets>
  type Name = NameOf<Targets>

  return Effect.suspend(() => {
    const order = new Order<Name, Target<Name, A, E, R>, E, R2>(
      targets as unknown as NonEmptyReadonlyArray<Target<Name, A, E, R>>,
      options
    )
    const ask = (target: Target<Name, A, E, R>): Effect.Effect<Answer<Name, A, E>, E, R> => {
      const { provenance } = order
      return Effect.map(target.effect, (value) => ({ value, ...provenance }))
    }
    return cascade(ask(order.target), (error) => Effect.map(order.next(error), Option.map(ask)))
  })
}

/**
 * Streams from the first target that gets as far as content, and can say in each element who it is.
 *
 * **When to use**
 *
 * Use as {@link firstOf}, for answers that come in pieces.
 *
 * **Details**
 *
 * What a target emits before its first content is held back and released just before it, as in `Retry.retryStream`, so
 * that nothing of a target that failed reaches the consumer. After the first content no other target is asked, and a
 * failure passes through unchanged. The scope of a target that failed is closed before the next is asked.
 *
 * **Example** (Marking the source of each element)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Fallback from "@effect-claude/resilience/Fallback"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const elements = Fallback.firstStreamOf([
 *   { name: "large", stream: Stream.concat(Stream.make("start"), Stream.fail("overloaded" as const)) },
 *   { name: "small", stream: Stream.make("start", "text") }
 * ], {
 *   shouldFallback: () => true,
 *   isContent: (event) => event === "text",
 *   decorate: (event, { source }) => `${source}: ${event}`
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(Stream.runCollect(elements)), ["small: start", "small: text"])
 * ```
 *
 * @category streams
 * @since 0.1.0
 */
export const firstStreamOf = <
  const Targets extends NonEmptyReadonlyArray<AnyStreamTarget>,
  R2 = never,
  B = ElementOf<Targets>
>(
  targets: Targets,
  options: StreamFallbackOptions<
    NameOf<Targets>,
    NoInfer<ElementOf<Targets>>,
    NoInfer<StreamErrorOf<Targets>>,
    R2,
    B
  >
): Stream.Stream<B, StreamErrorOf<Targets>, StreamServicesOf<Targets> | R2> => {
  checkTargets("firstStreamOf", targets)
  type A = ElementOf<Targets>
  type E = StreamErrorOf<Targets>
  type R = StreamServicesOf<Targets>
  type Name = NameOf<Targets>
  const decorate = options.decorate

  return Stream.suspend(() => {
    const order = new Order<Name, StreamTarget<Name, A, E, R>, E, R2>(
      targets as unknown as NonEmptyReadonlyArray<StreamTarget<Name, A, E, R>>,
      options
    )
    const answer = cascadeStream<A, E, R, never, R2>(order.target.stream, {
      next: (error) => Effect.map(order.next(error), Option.map((target) => target.stream)),
      isContent: options.isContent,
      isTransparent: options.isTransparent
    })
    // Without `decorate` the type parameter B is A.
    return decorate === undefined
      ? answer as Stream.Stream<A & B, E, R | R2>
      : Stream.map(answer, (element) => decorate(element, order.provenance))
  })
}

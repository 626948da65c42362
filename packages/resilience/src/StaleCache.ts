/**
 * A cache of the last good values: served when the work fails (stale-if-error) and, if asked for, instead of doing it.
 *
 * **Example** (Answering through an outage)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as StaleCache from "@effect-claude/resilience/StaleCache"
 * import * as Effect from "effect/Effect"
 *
 * let up = true
 * const fetchRate = Effect.suspend(() => up ? Effect.succeed(1.08) : Effect.fail("unavailable" as const))
 *
 * const program = Effect.gen(function*() {
 *   const rates = yield* StaleCache.make<number, "unavailable">({ shouldServeStale: () => true })
 *   yield* rates.execute("EUR/USD", fetchRate)
 *   up = false
 *   return yield* rates.execute("EUR/USD", fetchRate)
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program), 1.08)
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { type CacheStore, type CacheStoreError, memory } from "./CacheStore.ts"
import { failover } from "./internal/Failover.ts"
import { guardStore } from "./internal/GuardedStore.ts"
import { Preamble } from "./internal/Preamble.ts"
import { recoverableError } from "./internal/RecoverableError.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as ResilienceEvent from "./ResilienceEvent.ts"

/**
 * A stored value and its age.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hit<out A> {
  readonly value: A
  readonly age: Duration.Duration
}

/**
 * A value, and where it comes from: the work itself (`Live`), the cache instead of the work (`Fresh`), or the cache because
 * the work failed with `error` (`Stale`).
 *
 * @category models
 * @since 0.1.0
 */
export type Served<A, E> =
  | { readonly _tag: "Live"; readonly value: A }
  | Hit<A> & { readonly _tag: "Fresh" }
  | Hit<A> & { readonly _tag: "Stale"; readonly error: E }

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `staleFor`: how old a value may be to stand in for a failure; 1 day, longer than most outages
 * - `freshFor`: how old a value may be to be served without doing the work; zero, so the work is always done
 * - `shouldServeStale`: holds for the failures that a stored value may stand in for
 * - `shouldStore`: holds for the values worth keeping; every one. Failures are never kept
 * - `store`: where values are kept; 1,000 of them in memory
 * - `storeTimeout`: how long a call waits for the store, each time; 250 ms
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out A, in E> {
  readonly staleFor?: Duration.Input | undefined
  readonly freshFor?: Duration.Input | undefined
  readonly shouldServeStale: (error: E) => boolean
  readonly shouldStore?: ((value: A) => boolean) | undefined
  readonly store?: CacheStore<A> | undefined
  readonly storeTimeout?: Duration.Input | undefined
}

/**
 * How a stream is stored as one value, and a value played as a stream.
 *
 * **Details**
 *
 * - `collect`: starts putting a value together. `value` is asked for when the stream has ended well; `undefined` says that
 *   there is nothing to store
 * - `isLast`: holds for the element with which the value is whole. It is stored before that element is passed on, so that a
 *   consumer who leaves there leaves it behind; only the end of the stream
 * - `replay`: the elements of a value that was served from the cache
 * - `isContent`: holds for the elements after which a failure is no longer stood in for
 * - `isTransparent`: holds for elements that mean nothing and pass at once, such as pings; none
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions<in out B, in out A, in E> {
  readonly collect: () => { readonly add: (element: B) => void; readonly value: () => A | undefined }
  readonly replay: (served: Exclude<Served<A, E>, { readonly _tag: "Live" }>) => Iterable<B>
  readonly isLast?: ((element: B) => boolean) | undefined
  readonly isContent: (element: B) => boolean
  readonly isTransparent?: ((element: B) => boolean) | undefined
}

/**
 * Serves the last good values.
 *
 * **Details**
 *
 * - `execute`: the value of the work, or the stored one that stands in for it
 * - `serve`: the same, and where the value comes from
 * - `serveStream`: the same for work that answers in pieces. A stream that has ended well, or has got as far as `isLast`, is
 *   stored as one value; a failure before the first content is stood in for, one after it passes through
 * - `lookup`: the stored value, if it is not too old for every use; the work is not done
 * - `remove`, `clear`: forget a value, or all. Unlike everything else they fail when the store does
 *
 * @category models
 * @since 0.1.0
 */
export interface StaleCache<in out A, in E> {
  readonly execute: <E1 extends E, R>(key: string, effect: Effect.Effect<A, E1, R>) => Effect.Effect<A, E1, R>
  readonly serve: <E1 extends E, R>(key: string, effect: Effect.Effect<A, E1, R>) => Effect.Effect<Served<A, E1>, E1, R>
  readonly serveStream: <B, E1 extends E, R>(
    key: string,
    stream: Stream.Stream<B, E1, R>,
    options: StreamOptions<B, A, E1>
  ) => Stream.Stream<B, E1, R>
  readonly lookup: (key: string) => Effect.Effect<Option.Option<Hit<A>>>
  readonly remove: (key: string) => Effect.Effect<void, CacheStoreError>
  readonly clear: Effect.Effect<void, CacheStoreError>
}

const owner = "StaleCache.make"

const emit = (event: ResilienceEvent.ResilienceEvent): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    ResilienceEvent.emit(fiber, event)
    return Effect.void
  })

/**
 * Makes a cache of the last good values.
 *
 * **When to use**
 *
 * Use for answers that are better late than never. Put it outside of retries, timeouts and deadlines: it then stands in for
 * what they could not mend.
 *
 * **Details**
 *
 * A success replaces the stored value, unless `shouldStore` does not hold, which leaves the older one. A failure is never
 * stored. A stored value is never served at an age of `staleFor` or more. Defects and interruption are not stood in for.
 *
 * The store can neither fail a call nor hold it up for longer than `storeTimeout`: then the call goes on without it. The
 * first failure is logged at warning level, without keys or values, and no further one until the store has worked again.
 * After a time-out it is left alone for 5 s.
 *
 * Emits `CacheHit`, `CacheMissed`, `CacheStored` and `CacheFailed`. Wrong options throw a `RangeError`.
 *
 * **Gotchas**
 *
 * Ages are taken from the wall clock, since other processes and later runs share the store. A value from the future, of a
 * host whose clock is ahead, counts as new.
 *
 * **Example** (Seeing where a value comes from)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as StaleCache from "@effect-claude/resilience/StaleCache"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const rates = yield* StaleCache.make<number, string>({
 *     freshFor: "1 minute",
 *     staleFor: "1 hour",
 *     shouldServeStale: (error) => error === "unavailable"
 *   })
 *   const first = yield* rates.serve("EUR/USD", Effect.succeed(1.08))
 *   const second = yield* rates.serve("EUR/USD", Effect.die("is not run"))
 *   return [first._tag, second._tag]
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), ["Live", "Fresh"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never>(options: Options<A, E>): Effect.Effect<StaleCache<A, E>> => {
  const staleFor = OptionCheck.duration(owner, "staleFor", options.staleFor ?? "1 day", { infinite: true })
  const freshFor = OptionCheck.duration(owner, "freshFor", options.freshFor ?? 0, { infinite: true })
  const timeout = OptionCheck.duration(owner, "storeTimeout", options.storeTimeout ?? "250 millis", { positive: true })
  const lifetime = Duration.max(staleFor, freshFor)
  if (Duration.isZero(lifetime)) {
    throw new RangeError(`${owner}: set "staleFor" or "freshFor" to more than zero: nothing would ever be served`)
  }
  const { shouldServeStale, shouldStore } = options

  return Effect.sync(() => {
    const backing = options.store ?? memory<A>()
    const store = guardStore(backing, timeout)

    const read = (key: string): Effect.Effect<Hit<A> | undefined> =>
      Effect.flatMap(store.get(key), (entry) => {
        if (entry === undefined) return Effect.undefined
        return Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const age = Duration.millis(Math.max(0, now - entry.storedAt))
          const hit = { value: entry.value, age }
          return Duration.isLessThan(age, lifetime) ? Effect.succeed(hit) : Effect.as(store.remove(key), undefined)
        })
      })

    const keep = (key: string, value: A): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (shouldStore?.(value) === false) return Effect.void
        return Clock.currentTimeMillis.pipe(
          Effect.flatMap((storedAt) => store.set(key, { value, storedAt }, lifetime)),
          Effect.flatMap((isStored) => isStored ? emit({ _tag: "CacheStored" }) : Effect.void)
        )
      })

    /** The stored value if it is younger than `limit`. */
    const find = (key: string, limit: Duration.Duration, stale: boolean): Effect.Effect<Hit<A> | undefined> =>
      Duration.isZero(limit) ? Effect.undefined : Effect.flatMap(read(key), (hit) => {
        const found = hit !== undefined && Duration.isLessThan(hit.age, limit) ? hit : undefined
        return Effect.as(
          emit(found === undefined ? { _tag: "CacheMissed" } : { _tag: "CacheHit", age: found.age, stale }),
          found
        )
      })

    const findFresh = (key: string) => find(key, freshFor, false)

    const findStale = (key: string, error: E): Effect.Effect<Hit<A> | undefined> =>
      Effect.suspend(() => shouldServeStale(error) ? find(key, staleFor, true) : Effect.undefined)

    const live = <E1 extends E, R>(
      key: string,
      effect: Effect.Effect<A, E1, R>
    ): Effect.Effect<Served<A, E1>, E1, R> =>
      Effect.matchCauseEffect(effect, {
        onSuccess: (value) => Effect.as(keep(key, value), { _tag: "Live", value }),
        onFailure: (cause): Effect.Effect<Served<A, E1>, E1> => {
          const error = recoverableError(cause)
          if (Option.isNone(error)) return Effect.failCause(cause)
          return Effect.flatMap(findStale(key, error.value), (hit): Effect.Effect<Served<A, E1>, E1> =>
            hit === undefined
              ? Effect.failCause(cause)
              : Effect.succeed({ _tag: "Stale", ...hit, error: error.value }))
        }
      })

    const serve = <E1 extends E, R>(
      key: string,
      effect: Effect.Effect<A, E1, R>
    ): Effect.Effect<Served<A, E1>, E1, R> =>
      Duration.isZero(freshFor) ? live(key, effect) : Effect.flatMap(findFresh(key), (hit) =>
        hit === undefined
          ? live(key, effect)
          : Effect.succeed<Served<A, E1>>({ _tag: "Fresh", ...hit }))

    const kept = <B, E1, R>(
      key: string,
      stream: Stream.Stream<B, E1, R>,
      { collect, isLast }: Pick<StreamOptions<B, A, E1>, "collect" | "isLast">
    ): Stream.Stream<B, E1, R> =>
      Stream.transformPull(stream, (pull) =>
        Effect.sync(() => {
          const collector = collect()
          let isKept = false
          const keepOnce = Effect.suspend(() => {
            const value = isKept ? undefined : collector.value()
            isKept = true
            return value === undefined ? Effect.void : keep(key, value)
          })
          return Pull.matchEffect(pull, {
            onSuccess: (elements) => {
              for (const element of elements) collector.add(element)
              return isLast !== undefined && elements.some(isLast)
                ? Effect.as(keepOnce, elements)
                : Effect.succeed(elements)
            },
            onFailure: Effect.failCause,
            onDone: () => Effect.andThen(keepOnce, Cause.done())
          })
        }))

    const serveStream = <B, E1 extends E, R>(
      key: string,
      stream: Stream.Stream<B, E1, R>,
      { collect, isContent, isLast, isTransparent, replay }: StreamOptions<B, A, E1>
    ): Stream.Stream<B, E1, R> => {
      const liveStream = Stream.suspend(() => {
        const preamble = new Preamble<B>({ isContent, isTransparent })
        return failover<B, E1, R, never, never>(
          preamble.hold(kept(key, stream, { collect, isLast })),
          (error) =>
            preamble.committed
              ? Effect.succeedNone
              : Effect.map(findStale(key, error), (hit) =>
                hit === undefined
                  ? Option.none()
                  : Option.some(Stream.fromIterable(replay({ _tag: "Stale", ...hit, error }))))
        )
      })
      if (Duration.isZero(freshFor)) return liveStream
      return Stream.unwrap(
        Effect.map(
          findFresh(key),
          (hit): Stream.Stream<B, E1, R> =>
            hit === undefined ? liveStream : Stream.fromIterable(replay({ _tag: "Fresh", ...hit }))
        )
      )
    }

    return {
      execute: (key, effect) => Effect.map(serve(key, effect), ({ value }) => value),
      serve,
      serveStream,
      lookup: (key) => Effect.map(read(key), Option.fromUndefinedOr),
      remove: backing.remove,
      clear: backing.clear
    }
  })
}

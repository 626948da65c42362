import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { type CacheStore, CacheStoreError, type Entry } from "../CacheStore.ts"
import * as ResilienceEvent from "../ResilienceEvent.ts"
import * as MonotonicTime from "./MonotonicTime.ts"

type Operation = "read" | "write"

/** A store that never fails a call and never holds one up for long. */
export interface GuardedStore<in out A> {
  readonly get: (key: string) => Effect.Effect<Entry<A> | undefined>
  /** Whether the entry was stored. */
  readonly set: (key: string, entry: Entry<A>, timeToLive: Duration.Duration) => Effect.Effect<boolean>
  readonly remove: (key: string) => Effect.Effect<boolean>
}

// Each operation that hangs keeps a fiber, and each call that waits for one is late. Leaving the store alone for a while
// bounds both.
const pauseAfterTimeout = 5000

const shownNames = 4

const nameOf = (error: Error): string =>
  Predicate.hasProperty(error, "_tag") && Predicate.isString(error._tag) ? error._tag : error.name

/** The names of an error and of what caused it. Not their messages: those of a database may hold the value. */
const namesOf = (error: unknown): string => {
  const names: Array<string> = []
  const isWrapped = error instanceof CacheStoreError && error.cause !== undefined
  for (let next = isWrapped ? error.cause : error; next instanceof Error; next = next.cause) {
    if (names.push(nameOf(next)) === shownNames) break
  }
  return names.length === 0 ? "unknown" : names.join(" < ")
}

export const guardStore = <A>(store: CacheStore<A>, timeout: Duration.Duration): GuardedStore<A> => {
  let pausedUntil = Number.NEGATIVE_INFINITY
  let isFailing = false

  // An outage is one line, however many calls meet it.
  const failed = (operation: Operation, error: string): Effect.Effect<Option.Option<never>> =>
    Effect.withFiber((fiber) => {
      ResilienceEvent.emit(fiber, { _tag: "CacheFailed", operation, error })
      const line = isFailing
        ? Effect.void
        : Effect.logWarning("The cache store failed; calls go on without it", { operation, error })
      isFailing = true
      return Effect.as(line, Option.none())
    })

  const settled = <B>(operation: Operation, exit: Exit.Exit<B, CacheStoreError>): Effect.Effect<Option.Option<B>> => {
    if (Exit.isFailure(exit)) return failed(operation, namesOf(Cause.squash(exit.cause)))
    isFailing = false
    return Effect.succeed(Option.some(exit.value))
  }

  /**
   * On a fiber of its own: an operation that cannot be interrupted would otherwise be waited for after all. One that ends
   * at once, as in memory, arms no timer.
   */
  const guard = <B>(
    operation: Operation,
    run: () => Effect.Effect<B, CacheStoreError>
  ): Effect.Effect<Option.Option<B>> =>
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.clockWith((clock) => {
        if (MonotonicTime.now(clock) < pausedUntil) return Effect.succeed(Option.none())
        const fiber = Effect.runForkWith(context)(Effect.suspend(run))
        const exit = fiber.pollUnsafe()
        if (exit !== undefined) return settled(operation, exit)
        return Fiber.await(fiber).pipe(
          Effect.flatMap((ended) => settled(operation, ended)),
          Effect.timeoutOrElse({
            duration: timeout,
            orElse: () => {
              pausedUntil = MonotonicTime.now(clock) + pauseAfterTimeout
              return failed(operation, "timeout")
            }
          }),
          Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
        )
      })
    )

  return {
    get: (key) => Effect.map(guard("read", () => store.get(key)), Option.getOrUndefined),
    set: (key, entry, timeToLive) => Effect.map(guard("write", () => store.set(key, entry, timeToLive)), Option.isSome),
    remove: (key) => Effect.map(guard("write", () => store.remove(key)), Option.isSome)
  }
}

/**
 * A bulkhead: at most so many calls at once, and a bounded queue for the others.
 *
 * It keeps one slow dependency from taking every socket, fiber and byte of memory of a program, and a service with a known
 * capacity from being sent more than that. When the capacity is not known, use `AdaptiveConcurrency`, which finds it.
 *
 * **Example** (Letting two calls through at a time)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
 * import * as Effect from "effect/Effect"
 *
 * let running = 0
 * let most = 0
 * const call = Effect.acquireUseRelease(
 *   Effect.sync(() => {
 *     running += 1
 *     most = Math.max(most, running)
 *   }),
 *   () => Effect.sleep("2 millis"),
 *   () =>
 *     Effect.sync(() => {
 *       running -= 1
 *     })
 * )
 * const program = Effect.gen(function*() {
 *   const bulkhead = yield* Bulkhead.make({ permits: 2 })
 *   yield* Effect.forEach([1, 2, 3, 4, 5], () => bulkhead.withPermit(call), { concurrency: "unbounded" })
 * })
 *
 * await Effect.runPromise(program)
 * assert.strictEqual(most, 2)
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { defaultKey, KeyedPools } from "./internal/concurrency/KeyedPools.ts"
import { PermitPool } from "./internal/concurrency/PermitPool.ts"
import { streamHolding } from "./internal/concurrency/permitStream.ts"
import { rejectionFields, rejectionMessage, rejectionVerdict } from "./internal/concurrency/rejection.ts"
import { count, keyCount, type QueueRules, queueRules, waitForPermit } from "./internal/concurrency/waitForPermit.ts"
import type { Verdict } from "./Verdict.ts"

/**
 * Why a call got no permit, and how full the bulkhead was then.
 *
 * **Details**
 *
 * - `queueFull`: everybody in the queue goes before this call, or came to do so while it waited;
 * - `queueTimeout`: the call waited for the `queueTimeout`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly key: string
  readonly reason: "queueFull" | "queueTimeout"
  readonly permits: number
  readonly inFlight: number
  readonly queued: number
}

/**
 * How full the bulkhead of one key is.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /** How many calls may run at once. */
  readonly permits: number
  /** How many calls hold a permit. More than `permits` for a while after an adaptive limit has shrunk. */
  readonly inFlight: number
  /** How many calls wait for one. */
  readonly queued: number
}

/**
 * What a call may say about its permit.
 *
 * **Details**
 *
 * - `key`: whose permits; each key has its own. `"default"` without one.
 * - `afterWait`: runs if the call had to wait, with the permit in hand and before the call. When it fails, so does the
 *   call, and the permit is free again at once. For conditions that may have changed during the wait, such as an open circuit.
 *
 * @category models
 * @since 0.1.0
 */
export interface PermitOptions<out E = never, out R = never> {
  readonly key?: string | undefined
  readonly afterWait?: Effect.Effect<void, E, R> | undefined
}

/**
 * Lets calls through as long as there are permits; `E` is what it turns calls away with.
 *
 * **Details**
 *
 * - `withPermit` holds a permit while an effect runs, until its finalizers are through.
 * - `withPermitStream` holds one from before the first pull of a stream until after its last finalizer.
 * - `state` tells how full a key is, `states` of all keys that are known.
 *
 * A permit that becomes free goes to the longest running call that waits (`Admission`), and to nobody else. A call that is
 * interrupted, in the queue or with its permit, leaves nothing behind.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead<out E = BulkheadFullError> {
  readonly withPermit: {
    <A, E2, R, E3 = never, R3 = never>(
      self: Effect.Effect<A, E2, R>,
      options?: PermitOptions<E3, R3>
    ): Effect.Effect<A, E | E2 | E3, R | R3>
    <E3 = never, R3 = never>(
      options?: PermitOptions<E3, R3>
    ): <A, E2, R>(self: Effect.Effect<A, E2, R>) => Effect.Effect<A, E | E2 | E3, R | R3>
  }
  readonly withPermitStream: {
    <A, E2, R, E3 = never, R3 = never>(
      self: Stream.Stream<A, E2, R>,
      options?: PermitOptions<E3, R3>
    ): Stream.Stream<A, E | E2 | E3, R | R3>
    <E3 = never, R3 = never>(
      options?: PermitOptions<E3, R3>
    ): <A, E2, R>(self: Stream.Stream<A, E2, R>) => Stream.Stream<A, E | E2 | E3, R | R3>
  }
  readonly state: (key?: string) => Effect.Effect<State>
  readonly states: Effect.Effect<ReadonlyMap<string, State>>
}

/**
 * Fails a call that got no permit. Nothing was sent for it.
 *
 * **Details**
 *
 * The verdict is `Retry` of kind `rejected`: within a deadline a retry schedule tries again after its normal backoff, and
 * such an attempt costs neither a number nor budget. The error has no stack, as it comes in masses when it comes.
 *
 * **Example** (Answering when there is no room)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const bulkhead = yield* Bulkhead.make({ permits: 1, queue: 0 })
 *   const nested = Effect.succeed("answer").pipe(
 *     bulkhead.withPermit(),
 *     Effect.catchTag("BulkheadFullError", (error) => Effect.succeed(error.message))
 *   )
 *   return yield* bulkhead.withPermit(nested)
 * })
 *
 * assert.strictEqual(
 *   await Effect.runPromise(program),
 *   `No permit for "default": 1 of 1 in use, and the queue is full (0 waiting)`
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class BulkheadFullError
  extends Schema.TaggedError<BulkheadFullError>("resilience/BulkheadFullError")("BulkheadFullError", rejectionFields)
{
  override get message(): string {
    return rejectionMessage(this)
  }

  get verdict(): Verdict {
    return rejectionVerdict
  }
}

/**
 * Options of {@link make}.
 *
 * **Details**
 *
 * - `permits`: how many calls of a key may run at once. Required: nobody knows it but you.
 * - `queue`: how many calls of a key may wait. Default 1,000; 0 turns every call away that cannot run at once. In a full queue
 *   the call that would be let in last is turned away, which may be one that waits already: an interactive call is not
 *   kept out by a queue of batch calls.
 * - `queueTimeout`: how long a call may wait. Default: as long as its deadline lets it.
 * - `batchHandicap`: how much later a call of priority `batch` counts as begun. Default 30 seconds.
 * - `maxKeys`: how many keys to remember. Default 1,000. Beyond that, idle keys are forgotten.
 * - `onRejected`: makes the error for a call that is turned away. Default {@link BulkheadFullError}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = BulkheadFullError> {
  readonly permits: number
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly maxKeys?: number | undefined
  readonly onRejected?: ((rejection: Rejection) => E) | undefined
}

const owner = "Bulkhead.make"

/**
 * Makes a bulkhead.
 *
 * **When to use**
 *
 * Make one for each thing that has a capacity of its own and share it between all callers: one made per call limits nothing.
 *
 * **Details**
 *
 * A call that finds a permit free takes it and runs; that costs well below a microsecond. Nothing runs in the background
 * and nothing needs to be closed. Wrong options throw a `RangeError`.
 *
 * **Example** (Giving each model permits of its own)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as Bulkhead from "@effect-claude/resilience/Bulkhead"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const bulkhead = yield* Bulkhead.make({ permits: 10, queue: 100, queueTimeout: "20 seconds" })
 *   return yield* bulkhead.state("large").pipe(
 *     bulkhead.withPermit({ key: "large" }),
 *     bulkhead.withPermit({ key: "small" })
 *   )
 * })
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), { permits: 10, inFlight: 1, queued: 0 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <E>(options: Options<E> & { readonly onRejected: (rejection: Rejection) => E }): Effect.Effect<Bulkhead<E>>
  (options: Options & { readonly onRejected?: undefined }): Effect.Effect<Bulkhead>
} = <E>(options: Options<E>): Effect.Effect<Bulkhead<E | BulkheadFullError>> => {
  const permits = count(owner, "permits", options.permits, 1)
  const maxKeys = keyCount(owner, options)
  const { onRejected } = options
  const rules = queueRules<E | BulkheadFullError>(
    owner,
    options,
    (rejection) => onRejected === undefined ? new BulkheadFullError(rejection) : onRejected(rejection)
  )
  return Effect.sync(() =>
    fromPools(rules, permits, new KeyedPools(maxKeys, (_, onIdle) => new PermitPool(permits, onIdle)))
  )
}

const fromPools = <E>(rules: QueueRules<E>, permits: number, pools: KeyedPools<PermitPool>): Bulkhead<E> => ({
  withPermit: dual(
    (args) => Effect.isEffect(args[0]),
    <A, E2, R, E3, R3>(self: Effect.Effect<A, E2, R>, options?: PermitOptions<E3, R3>) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | E2 | E3, R | R3> => {
        const key = options?.key ?? defaultKey
        const pool = pools.get(key)
        const run = Effect.onExitPrimitive(
          restore(self),
          () => {
            pool.release()
            return undefined
          },
          true
        )
        return pool.tryTake()
          ? run
          : Effect.andThen(waitForPermit(pool, key, rules, restore, options?.afterWait), run)
      })
  ),
  withPermitStream: dual(
    (args) => Stream.isStream(args[0]),
    <A, E2, R, E3, R3>(self: Stream.Stream<A, E2, R>, options?: PermitOptions<E3, R3>) =>
      streamHolding({
        acquire: (restore): Effect.Effect<PermitPool, E | E3, R3> => {
          const key = options?.key ?? defaultKey
          const pool = pools.get(key)
          return pool.tryTake()
            ? Effect.succeed(pool)
            : Effect.as(waitForPermit(pool, key, rules, restore, options?.afterWait), pool)
        },
        stream: () => self,
        release: (pool) => pool.release()
      })
  ),
  state: (key = defaultKey) => Effect.sync(() => pools.peek(key)?.state ?? { permits, inFlight: 0, queued: 0 }),
  states: Effect.sync(() => pools.map((pool) => pool.state))
})

import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Admission from "../../Admission.ts"
import type { Rejection } from "../../Bulkhead.ts"
import * as OptionCheck from "../../OptionCheck.ts"
import { emit, isHeard } from "../../ResilienceEvent.ts"
import * as MonotonicTime from "../MonotonicTime.ts"
import { withoutStack } from "../WithoutStack.ts"
import type { Claim, PermitPool } from "./PermitPool.ts"
import type { Restore } from "./permitStream.ts"

export interface QueueOptions {
  readonly queue?: number | undefined
  readonly queueTimeout?: Duration.Input | undefined
  readonly batchHandicap?: Duration.Input | undefined
  readonly maxKeys?: number | undefined
}

export interface QueueRules<out E> {
  readonly capacity: number
  readonly timeout: Duration.Duration | undefined
  readonly handicap: number
  readonly reject: (rejection: Rejection) => E
}

export const count = (owner: string, option: string, value: number, minimum: number): number => {
  if (value !== Number.POSITIVE_INFINITY && (!Number.isInteger(value) || value < minimum)) {
    throw OptionCheck.refuse(owner, option, `a whole number of at least ${minimum}, or Infinity`, value)
  }
  return value
}

export const queueRules = <E>(
  owner: string,
  options: QueueOptions,
  reject: (rejection: Rejection) => E
): QueueRules<E> => {
  const timeout = options.queueTimeout === undefined
    ? Duration.infinity
    : OptionCheck.duration(owner, "queueTimeout", options.queueTimeout, { positive: true, infinite: true })
  const handicap = OptionCheck.duration(owner, "batchHandicap", options.batchHandicap ?? Duration.seconds(30))
  return {
    capacity: count(owner, "queue", options.queue ?? 1000, 0),
    timeout: Duration.isFinite(timeout) ? timeout : undefined,
    handicap: Duration.toMillis(handicap),
    reject
  }
}

export const keyCount = (owner: string, options: QueueOptions): number =>
  count(owner, "maxKeys", options.maxKeys ?? 1000, 1)

/**
 * Queues for a permit. To be run where nothing interrupts, as who gets the permit owes the pool its release; `restore`
 * lets the wait itself be interrupted.
 */
export const waitForPermit = <E, E2, R2>(
  pool: PermitPool,
  key: string,
  rules: QueueRules<E>,
  restore: Restore,
  afterWait: Effect.Effect<void, E2, R2> | undefined
): Effect.Effect<void, E | E2, R2> =>
  Effect.withFiber((fiber): Effect.Effect<void, E | E2, R2> => {
    const claim = pool.join(Admission.rank(fiber, rules.handicap), rules.capacity)
    if (claim === undefined) return reject(fiber, pool, key, rules, "queueFull")
    const since = MonotonicTime.now(fiber.getRef(Clock.Clock))
    const admitted = Effect.flatMap(claim.settled, (): Effect.Effect<void, E | E2, R2> => {
      if (claim.phase !== "granted") {
        return reject(fiber, pool, key, rules, claim.phase === "expired" ? "queueTimeout" : "queueFull")
      }
      if (isHeard(fiber)) {
        const wait = Duration.millis(MonotonicTime.now(fiber.getRef(Clock.Clock)) - since)
        emit(fiber, { _tag: "ConcurrencyQueued", key, wait })
      }
      return afterWait ?? Effect.void
    })
    // Around everything that can be interrupted, so that it sees what the claim holds however the wait ends.
    const leaving = Effect.onExitPrimitive(
      restore(admitted),
      (exit) => {
        if (exit._tag === "Failure") pool.leave(claim)
        return undefined
      },
      true
    )
    return rules.timeout === undefined ? leaving : withTimer(leaving, expiry(pool, claim, rules.timeout))
  })

const expiry = (pool: PermitPool, claim: Claim, timeout: Duration.Duration): Effect.Effect<void> =>
  Effect.map(Effect.sleep(timeout), () => pool.expire(claim))

/** Not `Effect.timeout`, which runs the wait on a fiber of its own and so lets go of its place a moment too late. */
const withTimer = <A, E, R>(wait: Effect.Effect<A, E, R>, timer: Effect.Effect<void>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Effect.forkChild(timer, { startImmediately: true }),
    (fiber) => Effect.onExitPrimitive(wait, () => Effect.sync(() => fiber.interruptUnsafe()), true)
  )

const reject = <E>(
  fiber: Fiber.Fiber<unknown, unknown>,
  pool: PermitPool,
  key: string,
  rules: QueueRules<E>,
  reason: Rejection["reason"]
): Effect.Effect<never, E> => {
  if (isHeard(fiber)) emit(fiber, { _tag: "ConcurrencyRejected", key, reason })
  return Effect.fail(withoutStack(() => rules.reject({ key, reason, ...pool.state })))
}

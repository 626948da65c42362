import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import type * as Stream from "effect/Stream"
import * as Admission from "../../Admission.ts"
import type {
  Costs,
  Levels,
  LimitOptions,
  RateLimiter,
  Reservation,
  ReserveOptions,
  Snapshot
} from "../../RateLimiter.ts"
import { emit, isHeard } from "../../ResilienceEvent.ts"
import { KeyedPools } from "../concurrency/KeyedPools.ts"
import { type Restore, streamHolding } from "../concurrency/permitStream.ts"
import { CurrentDeadline } from "../CurrentDeadline.ts"
import * as MonotonicTime from "../MonotonicTime.ts"
import { withoutStack } from "../WithoutStack.ts"
import type { Report } from "./Bucket.ts"
import { Lane } from "./Lane.ts"
import { Lease } from "./Lease.ts"
import type { LimiterPlan } from "./planOf.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

const defaultKey = "default"

/** A call at a lane, from its first step to its settlement. */
class Held<Dimension extends string> implements Reservation<Dimension> {
  readonly key: string
  readonly lane: Lane
  readonly lease: Lease
  readonly fiber: AnyFiber
  private readonly dimensions: ReadonlyArray<Dimension>
  waited = Duration.zero

  constructor(key: string, lane: Lane, lease: Lease, fiber: AnyFiber, dimensions: ReadonlyArray<Dimension>) {
    this.key = key
    this.lane = lane
    this.lease = lease
    this.fiber = fiber
    this.dimensions = dimensions
  }

  settle(costs: Costs<Dimension>): Effect.Effect<void> {
    return Effect.sync(() => this.settleNow(costs))
  }

  get refund(): Effect.Effect<void> {
    return Effect.sync(() => this.settleNow({}))
  }

  observe(snapshot: Snapshot<Dimension>): Effect.Effect<void> {
    return Effect.sync(() => this.observeUnsafe(snapshot))
  }

  observeUnsafe(snapshot: Snapshot<Dimension>): void {
    hear(this.lane, this.key, this.lease, this.dimensions, snapshot, this.fiber)
  }

  get slowDown(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.lane.slowDown(this.lease, fiber)
      return Effect.void
    })
  }

  settleNow(costs: Costs<Dimension>): void {
    this.lane.settle(this.lease, amounts(this.dimensions, costs), this.fiber)
  }

  /** What is left to do when the call has ended; `settle` may be the user's and throw. */
  end(
    exit: Exit.Exit<unknown, unknown>,
    settle: ((exit: Exit.Exit<unknown, unknown>) => Costs<Dimension> | undefined) | undefined
  ) {
    const { fiber, lane, lease } = this
    if (lease.phase === "waiting") return lane.leave(lease, fiber)
    if (lease.phase !== "held") return
    let actual: ReadonlyArray<number> = lease.costs
    try {
      const costs = settle === undefined ? (exit._tag === "Success" ? undefined : {}) : settle(exit) ?? {}
      if (costs !== undefined) actual = amounts(this.dimensions, costs)
    } finally {
      lane.settle(lease, actual, fiber)
    }
  }
}

const amounts = <Dimension extends string>(
  dimensions: ReadonlyArray<Dimension>,
  costs: Costs<Dimension>
): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (const name of dimensions) {
    const cost = costs[name] ?? 0
    // One such cost would spoil its bucket for ever.
    if (!(cost >= 0 && cost < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`RateLimiter: cost "${name}" must be a finite number of at least 0, got ${cost}`)
    }
    found.push(cost)
  }
  return found
}

const readable = (report: Snapshot<string>[string]): Report | undefined => {
  if (report === undefined) return undefined
  const { limit, remaining, resetAfter } = report
  const reset = resetAfter === undefined ? undefined : Duration.toMillis(resetAfter)
  return {
    limit: limit !== undefined && Number.isFinite(limit) && limit > 0 ? limit : undefined,
    remaining: remaining !== undefined && Number.isFinite(remaining) && remaining >= 0 ? remaining : undefined,
    resetAfter: reset !== undefined && Number.isFinite(reset) ? reset : undefined
  }
}

const hear = <Dimension extends string>(
  lane: Lane,
  key: string,
  lease: Lease | undefined,
  dimensions: ReadonlyArray<Dimension>,
  snapshot: Snapshot<Dimension>,
  fiber: AnyFiber
): void => {
  const reports: Array<Report | undefined> = []
  for (const name of dimensions) reports.push(readable(snapshot[name]))
  const changed = lane.observe(lease, reports, fiber)
  if (!changed || !isHeard(fiber)) return
  const limits = Object.fromEntries(
    dimensions.flatMap((name) => snapshot[name]?.limit === undefined ? [] : [[name, snapshot[name].limit]])
  )
  emit(fiber, { _tag: "RateLimitsLearned", key, limits })
}

export const limiterOf = <Dimension extends string, E>(
  plan: LimiterPlan<Dimension, E>
): RateLimiter<Dimension, E> => {
  const { dimensions } = plan
  const lanes = new KeyedPools<Lane>(plan.maxKeys, () => new Lane(plan))

  const arrive = (fiber: AnyFiber, key: string, costs: Costs<Dimension>): Held<Dimension> =>
    new Held(key, lanes.get(key), new Lease(amounts(dimensions, costs)), fiber, dimensions)

  const rejected = ({ fiber, key, lease }: Held<Dimension>): Effect.Effect<never, E> => {
    const { reason, retryAfter } = lease.refusal ?? { reason: "queueFull", retryAfter: 0 }
    if (isHeard(fiber)) emit(fiber, { _tag: "RateLimiterRejected", key, reason })
    return Effect.fail(withoutStack(() => plan.reject({ key, reason, retryAfter: Duration.millis(retryAfter) })))
  }

  /** Waits in the queue. To be run where nothing interrupts, with somebody who ends what is held. */
  const queue = <E2, R2>(
    held: Held<Dimension>,
    restore: Restore,
    afterWait: Effect.Effect<void, E2, R2> | undefined
  ): Effect.Effect<void, E | E2, R2> => {
    const { fiber, key, lane, lease } = held
    const clock = fiber.getRef(Clock.Clock)
    const since = MonotonicTime.now(clock)
    lane.join(
      lease,
      Admission.rank(fiber, plan.handicap),
      fiber.getRef(CurrentDeadline)?.expiresAt ?? Number.POSITIVE_INFINITY,
      fiber
    )
    const turn = Effect.callback<void>((resume) => {
      if (lease.phase !== "waiting") return resume(Effect.void)
      // Not at once: a resumed fiber runs there and then, and a line of calls that end at once would recurse.
      lease.wake = () => fiber.currentDispatcher.scheduleTask(() => resume(Effect.void), 0)
    })
    const started = Effect.suspend((): Effect.Effect<void, E | E2, R2> => {
      if (lease.phase !== "held") return rejected(held)
      held.waited = Duration.millis(MonotonicTime.now(clock) - since)
      if (isHeard(fiber)) emit(fiber, { _tag: "RateLimiterWaited", key, wait: held.waited })
      return afterWait ?? Effect.void
    })
    return lease.phase === "waiting" ? restore(Effect.andThen(turn, started)) : restore(started)
  }

  /** Waits, and gives everything back if that fails: how a call settles that never began is no question for its owner. */
  const admitted = <E2, R2>(
    held: Held<Dimension>,
    restore: Restore,
    afterWait: Effect.Effect<void, E2, R2> | undefined
  ): Effect.Effect<void, E | E2, R2> =>
    Effect.onExitPrimitive(
      queue(held, restore, afterWait),
      (exit) => {
        if (exit._tag === "Failure") held.end(exit, undefined)
        return undefined
      },
      true
    )

  const run = <A, E2, R, E3, R3>(
    options: ReserveOptions<Dimension, E3, R3>,
    use: (held: Held<Dimension>) => Effect.Effect<A, E2, R>,
    settle?: (exit: Exit.Exit<A, E2>) => Costs<Dimension> | undefined
  ): Effect.Effect<A, E | E2 | E3, R | R3> =>
    Effect.suspend(() => {
      let held: Held<Dimension> | undefined
      const body = Effect.withFiber((fiber): Effect.Effect<A, E | E2 | E3, R | R3> => {
        const arrived = held = arrive(fiber, options.key ?? defaultKey, options.costs)
        if (arrived.lane.tryTake(arrived.lease, fiber)) return use(arrived)
        return Effect.uninterruptibleMask((restore) =>
          Effect.andThen(admitted(arrived, restore, options.afterWait), Effect.suspend(() => restore(use(arrived))))
        )
      })
      // Around the taking, as a fiber may yield, and be interrupted, between any two steps, and `use` may throw. So whoever
      // need not wait needs no region where nothing interrupts.
      return Effect.onExitPrimitive(body, (exit) => {
        held?.end(exit, settle as ((exit: Exit.Exit<unknown, unknown>) => Costs<Dimension> | undefined) | undefined)
        return undefined
      })
    })

  const runStream = <A, E2, R, E3, R3>(
    options: ReserveOptions<Dimension, E3, R3>,
    use: (held: Held<Dimension>) => Stream.Stream<A, E2, R>,
    settle?: (exit: Exit.Exit<unknown, unknown>) => Costs<Dimension> | undefined
  ): Stream.Stream<A, E | E2 | E3, R | R3> =>
    streamHolding({
      acquire: (restore): Effect.Effect<Held<Dimension>, E | E3, R3> =>
        Effect.withFiber((fiber) => {
          const held = arrive(fiber, options.key ?? defaultKey, options.costs)
          return held.lane.tryTake(held.lease, fiber)
            ? Effect.succeed(held)
            : Effect.as(admitted(held, restore, options.afterWait), held)
        }),
      stream: use,
      release: (held, exit) => held.end(exit, settle)
    })

  return {
    withLimit: dual(
      2,
      <A, E2, R, E3, R3>(self: Effect.Effect<A, E2, R>, options: LimitOptions<Dimension, A, E2, E3, R3>) =>
        run(options, () => self, options.settle)
    ),
    withLimitStream: dual(
      2,
      <A, E2, R, E3, R3>(self: Stream.Stream<A, E2, R>, options: LimitOptions<Dimension, unknown, unknown, E3, R3>) =>
        runStream(options, () => self, options.settle)
    ),
    withReservation: run,
    withReservationStream: runStream,
    observe: (key, snapshot) =>
      Effect.withFiber((fiber) => {
        hear(lanes.get(key), key, undefined, dimensions, snapshot, fiber)
        return Effect.void
      }),
    pause: (key, input) =>
      Effect.withFiber((fiber) => {
        const duration = Duration.fromInputUnsafe(input)
        if (lanes.get(key).pauseFor(Duration.toMillis(duration), fiber) && isHeard(fiber)) {
          emit(fiber, { _tag: "RateLimiterPaused", key, duration })
        }
        return Effect.void
      }),
    slowDown: (key) =>
      Effect.withFiber((fiber) => {
        lanes.get(key).slowDown(undefined, fiber)
        return Effect.void
      }),
    levels: (key = defaultKey) =>
      Effect.withFiber((fiber) =>
        Effect.succeed(
          levelsOf(dimensions, (lanes.peek(key) ?? new Lane(plan)).read(MonotonicTime.now(fiber.getRef(Clock.Clock))))
        )
      )
  }
}

const levelsOf = <Dimension extends string>(
  dimensions: ReadonlyArray<Dimension>,
  { buckets, inFlight, pausedFor, waiting }: ReturnType<Lane["read"]>
): Levels<Dimension> => ({
  limits: Object.fromEntries(dimensions.map((name, index) => [name, buckets[index]])) as Levels<Dimension>["limits"],
  waiting,
  inFlight,
  pausedFor: Duration.millis(pausedFor)
})

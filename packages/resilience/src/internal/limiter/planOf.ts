import * as Duration from "effect/Duration"
import * as OptionCheck from "../../OptionCheck.ts"
import type { LimitPlan, Options, Rejection } from "../../RateLimiter.ts"
import type { BucketPlan } from "./Bucket.ts"
import type { LanePlan } from "./Lane.ts"
import type { RampPlan } from "./Ramp.ts"

/** The checked options of a limiter. */
export interface LimiterPlan<out Dimension extends string, out E> extends LanePlan {
  readonly dimensions: ReadonlyArray<Dimension>
  readonly handicap: number
  readonly maxKeys: number
  readonly reject: (rejection: Rejection) => E
}

export const planOf = <Dimension extends string, E>(
  owner: string,
  options: Omit<Options<Dimension, unknown>, "onRejected">,
  reject: (rejection: Rejection) => E
): LimiterPlan<Dimension, E> => {
  // The keys of a literal, of which there are no others.
  const dimensions = Object.keys(options.limits) as Array<Dimension>
  if (dimensions.length === 0) throw OptionCheck.refuse(owner, "limits", "at least one limit", options.limits)
  const headroom = OptionCheck.number(owner, "headroom", options.headroom ?? 5 / 6, 0.01, 1)
  const { adopt } = options
  if (adopt !== undefined && adopt !== "always" && adopt !== "lower") {
    throw OptionCheck.refuse(owner, "adopt", `"always" or "lower"`, adopt)
  }
  const buckets = dimensions.map((name) =>
    bucketOf(owner, `limits.${name}`, options.limits[name], headroom, adopt !== "lower")
  )
  const timeout = options.queueTimeout ?? Duration.seconds(60)
  const handicap = options.batchHandicap ?? Duration.seconds(30)
  return {
    dimensions,
    buckets,
    window: Math.max(...buckets.map(({ window }) => window)),
    queue: count(owner, "queue", options.queue ?? 1000, 0),
    queueTimeout: Duration.toMillis(
      OptionCheck.duration(owner, "queueTimeout", timeout, { positive: true, infinite: true })
    ),
    handicap: Duration.toMillis(OptionCheck.duration(owner, "batchHandicap", handicap)),
    pauseJitter: OptionCheck.number(owner, "pauseJitter", options.pauseJitter ?? 0.2, 0, 1),
    ramp: options.rampUp === false ? undefined : rampOf(owner, options.rampUp ?? {}),
    maxKeys: count(owner, "maxKeys", options.maxKeys ?? 1000, 1),
    reject
  }
}

const bucketOf = (
  owner: string,
  option: string,
  { burst, limit, rounding, window: input }: LimitPlan,
  headroom: number,
  mayRaise: boolean
): BucketPlan => {
  const window = Duration.toMillis(
    OptionCheck.duration(owner, `${option}.window`, input ?? Duration.minutes(1), { positive: true })
  )
  if (limit !== undefined && !(Number.isFinite(limit) && limit > 0)) {
    throw OptionCheck.refuse(owner, `${option}.limit`, "a finite number greater than zero", limit)
  }
  const saved = burst === undefined
    ? window
    : Duration.toMillis(OptionCheck.duration(owner, `${option}.burst`, burst, { positive: true }))
  if (saved > window) {
    throw OptionCheck.refuse(owner, `${option}.burst`, "no longer than the window", burst)
  }
  return {
    limit,
    window,
    burst: saved,
    rounding: OptionCheck.number(owner, `${option}.rounding`, rounding ?? 0, 0),
    headroom,
    mayRaise
  }
}

const rampOf = (
  owner: string,
  { doubling, from }: Exclude<Options<string>["rampUp"], false | undefined>
): RampPlan => ({
  from: OptionCheck.number(owner, "rampUp.from", from ?? 0.5, 0.01, 1),
  doubling: Duration.toMillis(
    OptionCheck.duration(owner, "rampUp.doubling", doubling ?? Duration.seconds(5), { positive: true })
  )
})

const count = (owner: string, option: string, value: number, minimum: number): number => {
  if (value !== Number.POSITIVE_INFINITY && (!Number.isInteger(value) || value < minimum)) {
    throw OptionCheck.refuse(owner, option, `a whole number of at least ${minimum}, or Infinity`, value)
  }
  return value
}

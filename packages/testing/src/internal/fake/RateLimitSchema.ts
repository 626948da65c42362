import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { Count, Positive, PositiveTime, Share, Time } from "./PlanValues.ts"

export const limitNames = ["requests", "inputTokens", "outputTokens"] as const

const limits = {
  requests: Schema.optional(Positive),
  inputTokens: Schema.optional(Positive),
  outputTokens: Schema.optional(Positive)
}

const others = ["ramp", "priority", "fast"] as const

const positive = (maximum: number, expected: string) =>
  Schema.Finite.check(Schema.makeFilter((n) => n > 0 && n <= maximum, {
    expected,
    toJsonSchema: () => ({ exclusiveMinimum: 0, maximum })
  }))

export const OtherConsumersPlan = Schema.Struct({
  share: Schema.optional(Share),
  requestsPerSecond: Schema.optional(positive(1_000, "a number above 0, at most 1000")),
  inputTokens: Schema.optional(Count),
  outputTokens: Schema.optional(Count),
  from: Schema.optional(Time),
  to: Schema.optional(Time)
}).check(
  Schema.makeFilter(
    ({ requestsPerSecond, share }) =>
      (share === undefined) !== (requestsPerSecond === undefined) || "Expected either share or requestsPerSecond",
    { toJsonSchema: () => ({ oneOf: [{ required: ["share"] }, { required: ["requestsPerSecond"] }] }) }
  ),
  Schema.makeFilter(({ inputTokens, outputTokens, share }) =>
    share === undefined || (inputTokens === undefined && outputTokens === undefined)
    || "Expected no tokens with share, which says it of every limit"
  ),
  Schema.makeFilter(({ from = Duration.zero, to }) =>
    to === undefined || Duration.isGreaterThan(to, from)
      ? undefined
      : { path: ["to"], issue: "Expected a time later than from" }
  )
)

const tokenLimits = Schema.Struct({
  inputTokens: Schema.optional(Positive),
  outputTokens: Schema.optional(Positive)
})

export const RampPlan = Schema.Struct({
  requests: Schema.optional(Positive),
  inputTokens: Schema.optional(Positive),
  growth: Schema.optional(Schema.Finite.check(
    Schema.makeFilter((n) => n > 1, { expected: "a number above 1", toJsonSchema: () => ({ exclusiveMinimum: 1 }) })
  )),
  window: Schema.optional(PositiveTime)
}).check(
  Schema.makeFilter(({ inputTokens, requests }) =>
    inputTokens !== undefined || requests !== undefined || "Expected at least one of requests, inputTokens"
  )
)

export const RateLimitPlan = Schema.Struct({
  ...limits,
  window: Schema.optional(PositiveTime),
  enforce: Schema.optional(Schema.Boolean),
  rounding: Schema.optional(Positive),
  models: Schema.optional(Schema.Record(Schema.String, Schema.Struct(limits))),
  otherConsumers: Schema.optional(OtherConsumersPlan),
  ramp: Schema.optional(RampPlan),
  priority: Schema.optional(tokenLimits),
  fast: Schema.optional(tokenLimits)
}).check(
  Schema.makeFilter((plan) =>
    [...limitNames, ...others].some((name) => plan[name] !== undefined) || Object.keys(plan.models ?? {}).length > 0
    || `Expected at least one of ${[...limitNames, "models", ...others].join(", ")}`
  ),
  Schema.makeFilter(({ enforce, ramp }) =>
    enforce !== false || ramp === undefined
      ? undefined
      : { path: ["ramp"], issue: "Expected no ramp with enforce false: no header reports it" }
  )
)

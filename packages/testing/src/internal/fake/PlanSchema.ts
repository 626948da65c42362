import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { BatchPlan } from "./batch/BatchSchema.ts"
import { Share, Time } from "./PlanValues.ts"
import { RateLimitPlan } from "./RateLimitSchema.ts"
import { Step } from "./StepSchema.ts"

const Lasting = (reason: string) =>
  Step.check(
    Schema.makeFilter(
      (step) => step.times === undefined ? undefined : { path: ["times"], issue: `Expected no times: ${reason}` },
      { toJsonSchema: () => ({ not: { required: ["times"] } }) }
    )
  )

export const Outage = Schema.Struct({
  from: Time,
  to: Schema.optional(Time),
  share: Schema.optional(Share),
  step: Lasting("an outage lasts until its end")
}).check(
  Schema.makeFilter(({ from, to }) =>
    to === undefined || Duration.isGreaterThan(to, from)
      ? undefined
      : { path: ["to"], issue: "Expected a time later than from" }
  )
)

const queue = {
  steps: Schema.optional(Schema.Array(Step)),
  after: Schema.optional(Lasting("the step after the others repeats for ever")),
  outages: Schema.optional(Schema.Array(Outage))
}

export const RequestRulesPlan = Schema.Struct({
  models: Schema.optional(Schema.Union([Schema.Literals(["any", "known"]), Schema.Array(Schema.NonEmptyString)])),
  allowedFallbacks: Schema.optional(Schema.Record(Schema.String, Schema.Array(Schema.NonEmptyString)))
})

export const Plan = Schema.Struct({
  $schema: Schema.optional(Schema.String),
  ...queue,
  seed: Schema.optional(Schema.String),
  requestRules: Schema.optional(RequestRulesPlan),
  models: Schema.optional(Schema.Record(Schema.String, Schema.Struct(queue))),
  rateLimits: Schema.optional(RateLimitPlan),
  batches: Schema.optional(BatchPlan)
})

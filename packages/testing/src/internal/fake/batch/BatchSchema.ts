import * as Schema from "effect/Schema"
import { Count, Positive, Share, Time } from "../PlanValues.ts"
import { ApiError, DisconnectStep, ErrorStep, MessageStep, ResponseStep } from "../StepSchema.ts"

export const batchOperations = ["create", "list", "retrieve", "cancel", "delete", "results"] as const

const isPattern = (text: string): boolean => {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}

const Pattern = Schema.String.check(
  Schema.makeFilter(isPattern, { expected: "a regular expression", toJsonSchema: () => ({ format: "regex" }) })
)

const which = {
  customId: Schema.optional(Pattern),
  share: Schema.optional(Share),
  times: Schema.optional(Positive)
}

const { stopDetails, stopReason, text } = MessageStep.fields

const Outcome = Schema.Union([
  Schema.Struct({ outcome: Schema.Literal("succeeded"), ...which, text, stopReason, stopDetails }),
  Schema.Struct({ outcome: Schema.Literal("errored"), ...which, error: Schema.optional(ApiError) }),
  Schema.Struct({ outcome: Schema.Literal("canceled"), ...which }),
  Schema.Struct({ outcome: Schema.Literal("expired"), ...which })
])

const Edit = Schema.Struct({
  how: Schema.Literals(["insert", "replace"]),
  line: Positive,
  text: Schema.String
})

const ResultsFile = Schema.Struct({
  how: Schema.optional(Schema.Literals(["end", "reset", "close", "stall"])),
  afterLines: Schema.optional(Count),
  afterBytes: Schema.optional(Count),
  edits: Schema.optional(Schema.Array(Edit))
}).check(
  Schema.makeFilter(
    ({ afterBytes, afterLines }) =>
      afterBytes === undefined || afterLines === undefined || "Expected afterLines or afterBytes, not both",
    { toJsonSchema: () => ({ not: { required: ["afterLines", "afterBytes"] } }) }
  ),
  Schema.makeFilter(({ afterBytes, afterLines, how }) =>
    how !== undefined || (afterBytes === undefined && afterLines === undefined)
    || "Expected how, which says what happens there"
  )
)

const steps = Schema.optional(Schema.Array(Schema.Union([MessageStep, ErrorStep, ResponseStep, DisconnectStep])))

export const BatchPlan = Schema.Struct({
  processingTime: Schema.optional(Time),
  archived: Schema.optional(Schema.Boolean),
  seed: Schema.optional(Schema.String),
  outcomes: Schema.optional(Schema.Array(Outcome)),
  results: Schema.optional(Schema.Array(ResultsFile)),
  steps: Schema.optional(Schema.Struct({
    create: steps,
    list: steps,
    retrieve: steps,
    cancel: steps,
    delete: steps,
    results: steps
  }))
}).check(
  Schema.makeFilter(({ outcomes = [] }) =>
    outcomes.reduce((sum, { share = 0 }) => sum + share, 0) <= 1 + Number.EPSILON
      ? undefined
      : { path: ["outcomes"], issue: "Expected shares of at most 1 together" }
  )
)

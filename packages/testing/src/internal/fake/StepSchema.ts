import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { connectFailures } from "./Connection.ts"
import { PlannedBlock } from "./ContentSchema.ts"
import { isPlanned, isToolUse } from "./MessageContent.ts"
import { Count, Positive, Time } from "./PlanValues.ts"
import { limitNames } from "./RateLimitSchema.ts"
import { eventCount } from "./StreamEvents.ts"

const status = (minimum: number) =>
  Schema.Finite.check(
    Schema.makeFilter((n) => Number.isInteger(n) && n >= minimum && n <= 599, {
      expected: `an HTTP status from ${minimum} to 599`,
      toJsonSchema: () => ({ type: "integer", minimum, maximum: 599 })
    })
  )

const HeaderValue = Schema.String.check(
  Schema.isPattern(/^[\t\x20-\x7e\x80-\xff]*$/u, { expected: "a header value on one line" })
)

const Headers = Schema.Record(Schema.String, Schema.NullOr(HeaderValue)).check(
  Schema.makeFilter((headers) =>
    Object.keys(headers)
      .filter((name) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
      .map((name) => ({ path: [name], issue: "Expected a header name" }))
  )
)

export const ApiError = Schema.Struct({
  type: Schema.NonEmptyString,
  message: Schema.optional(Schema.String),
  details: Schema.optional(Schema.Record(Schema.String, Schema.Json))
})

// A member for each way, so that a mistake is reported for the way that was meant.
const broken = <How extends string>(how: How) =>
  Schema.Struct({
    how: Schema.Literal(how),
    afterEvents: Schema.optional(Count),
    afterBytes: Schema.optional(Count),
    pause: Schema.optional(Time)
  })

const held = <How extends string>(how: How) =>
  Schema.Struct({
    how: Schema.Literal(how),
    afterEvents: Schema.optional(Count),
    afterBytes: Schema.optional(Count)
  })

const ErrorInterruption = Schema.Struct({
  how: Schema.Literal("error"),
  afterEvents: Schema.optional(Count),
  error: Schema.optional(ApiError),
  data: Schema.optional(Schema.String)
}).check(
  Schema.makeFilter(
    ({ data, error }) => data === undefined || error === undefined || "Expected error or data, not both",
    { toJsonSchema: () => ({ not: { required: ["data", "error"] } }) }
  )
)

const repeated = {
  afterEvents: Schema.optional(Count),
  count: Schema.optional(Schema.Union([Positive, Schema.Literal("forever")])),
  interval: Schema.optional(Time)
}

const Insert = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("ping"), ...repeated }),
  Schema.Struct({ kind: Schema.Literal("comment"), text: Schema.optional(Schema.String), ...repeated }),
  Schema.Struct({ kind: Schema.Literal("event"), event: Schema.NonEmptyString, data: Schema.Json, ...repeated })
]).check(
  Schema.makeFilter(
    ({ count, interval }) =>
      count !== "forever" || (interval !== undefined && Duration.isGreaterThan(interval, Duration.zero))
        ? undefined
        : { path: ["interval"], issue: "Expected an interval above zero with count \"forever\"" },
    {
      toJsonSchema: () => ({
        anyOf: [{ properties: { count: { not: { const: "forever" } } } }, { required: ["interval"] }]
      })
    }
  )
)

const common = {
  times: Schema.optional(Positive),
  delay: Schema.optional(Time)
}

const pieces = {
  chunkBytes: Schema.optional(Positive),
  chunkDelay: Schema.optional(Time)
}

const delayedPieces = ({ chunkBytes, chunkDelay }: {
  readonly chunkBytes?: number | undefined
  readonly chunkDelay?: Duration.Duration | undefined
}) =>
  chunkDelay === undefined || chunkBytes !== undefined
    ? undefined
    : { path: ["chunkDelay"], issue: "Expected chunkBytes, the size of the pieces that it is between" }

const Usage = Schema.Struct({
  input_tokens: Schema.optional(Count),
  output_tokens: Schema.optional(Count),
  cache_creation_input_tokens: Schema.optional(Count),
  cache_read_input_tokens: Schema.optional(Count)
})

const StopDetails = Schema.Struct({
  type: Schema.Literal("refusal"),
  category: Schema.NullOr(
    Schema.Literals(["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"])
  ),
  explanation: Schema.NullOr(Schema.String),
  fallback_credit_token: Schema.optional(Schema.NullOr(Schema.NonEmptyString)),
  fallback_has_prefill_claim: Schema.optional(Schema.NullOr(Schema.Boolean)),
  recommended_model: Schema.optional(Schema.NullOr(Schema.NonEmptyString))
})

export const MessageStep = Schema.Struct({
  kind: Schema.Literal("message"),
  ...common,
  text: Schema.optional(Schema.String),
  content: Schema.optional(Schema.Array(PlannedBlock)),
  truncateToolInput: Schema.optional(Count),
  stopReason: Schema.optional(Schema.Literals([
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded"
  ])),
  stopSequence: Schema.optional(Schema.String),
  stopDetails: Schema.optional(StopDetails),
  usage: Schema.optional(Usage),
  fallbackText: Schema.optional(Schema.NonEmptyString),
  resume: Schema.optional(Schema.Union([Schema.Boolean, Schema.Struct({ overlap: Count })])),
  headers: Schema.optional(Headers),
  bodyDelay: Schema.optional(Time),
  eventDelay: Schema.optional(Time),
  ...pieces,
  lineEnd: Schema.optional(Schema.Literals(["lf", "crlf", "cr"])),
  byteOrderMark: Schema.optional(Schema.Boolean),
  insert: Schema.optional(Schema.Array(Insert)),
  interrupt: Schema.optional(
    Schema.Union([held("stall"), held("end"), broken("reset"), broken("close"), ErrorInterruption])
  )
}).check(
  Schema.makeFilter(delayedPieces),
  Schema.makeFilter(
    (step) => step.text === undefined || step.content === undefined || "Expected text or content, not both",
    { toJsonSchema: () => ({ not: { required: ["text", "content"] } }) }
  ),
  Schema.makeFilter((step) =>
    step.fallbackText === undefined || (step.stopReason ?? (step.stopDetails && "refusal")) === "refusal"
      ? undefined
      : { path: ["fallbackText"], issue: "Expected no fallbackText: the answer is no refusal" }
  ),
  Schema.makeFilter(({ content = [], truncateToolInput }) => {
    if (truncateToolInput === undefined) return undefined
    const call = content.findLast(isToolUse)
    if (call === undefined) return { path: ["truncateToolInput"], issue: "Expected a tool_use block in content" }
    const { length } = JSON.stringify(call.input)
    return truncateToolInput < length
      ? undefined
      : { path: ["truncateToolInput"], issue: `Expected less than ${length}, the characters of the input` }
  }),
  Schema.makeFilter((step) => {
    if (!isPlanned(step)) return undefined
    const count = eventCount(step)
    const issue = `Expected at most ${count}, the number of events in this answer`
    const beyond = (afterEvents: number | undefined) => afterEvents !== undefined && afterEvents > count
    return [
      ...(beyond(step.interrupt?.afterEvents) ? [{ path: ["interrupt", "afterEvents"], issue }] : []),
      ...(step.insert ?? []).flatMap((insert, index) =>
        beyond(insert.afterEvents) ? [{ path: ["insert", index, "afterEvents"], issue }] : []
      )
    ]
  })
)

export const ErrorStep = Schema.Struct({
  kind: Schema.Literal("error"),
  ...common,
  status: status(400),
  error: ApiError,
  headers: Schema.optional(Headers),
  retryAt: Schema.optional(Time),
  limit: Schema.optional(Schema.Literals(limitNames))
})

export const ResponseStep = Schema.Struct({
  kind: Schema.Literal("response"),
  ...common,
  status: status(200),
  headers: Schema.optional(Headers),
  contentType: Schema.optional(HeaderValue),
  body: Schema.optional(Schema.Json),
  bodyDelay: Schema.optional(Time),
  ...pieces,
  interrupt: Schema.optional(Schema.Struct({
    how: Schema.Literals(["stall", "end", "reset", "close"]),
    afterBytes: Schema.optional(Count),
    pause: Schema.optional(Time)
  }))
}).check(Schema.makeFilter(delayedPieces))

export const DisconnectStep = Schema.Struct({
  kind: Schema.Literal("disconnect"),
  ...common,
  how: Schema.Literals(["reset", "close", "garbage"]),
  afterBytes: Schema.optional(Count)
}).check(
  Schema.makeFilter(({ afterBytes, how }) =>
    afterBytes === undefined || how !== "garbage"
      ? undefined
      : { path: ["afterBytes"], issue: "Expected no afterBytes: garbage comes in the place of an answer" }, {
    toJsonSchema: () => ({
      anyOf: [{ properties: { how: { not: { const: "garbage" } } } }, { not: { required: ["afterBytes"] } }]
    })
  })
)

export const UnreachableStep = Schema.Struct({
  kind: Schema.Literal("unreachable"),
  ...common,
  code: Schema.Literals(connectFailures)
})

export const CapacityStep = Schema.Struct({
  kind: Schema.Literal("capacity"),
  ...common,
  limit: Count,
  serviceTime: Time,
  retryAfter: Schema.optional(Time)
})

export const Step = Schema.Union([
  MessageStep,
  ErrorStep,
  ResponseStep,
  DisconnectStep,
  UnreachableStep,
  CapacityStep
])

/**
 * What a fake Claude API does with the requests it gets, one step a request, as a value that TypeScript can build and a
 * JSON file can hold.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as JsonSchema from "effect/JsonSchema"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { BatchPlan } from "./internal/fake/batch/BatchSchema.ts"
import { decodeJson as parseJson, decodePlan } from "./internal/fake/PlanDecoding.ts"
import { planJsonSchema } from "./internal/fake/PlanJsonSchema.ts"
import { Plan, type RequestRulesPlan } from "./internal/fake/PlanSchema.ts"
import type { RateLimitPlan } from "./internal/fake/RateLimitSchema.ts"

/**
 * Describes what a fake Claude API does with its requests: `steps` in order, then `after` for ever, except for `outages`
 * and for requests beyond `rateLimits`.
 *
 * **Details**
 *
 * - `steps`: each answers one request to `/v1/messages` or `/v1/messages/count_tokens`, or `times` of them. A request
 *   takes its step when its body has arrived, whether or not it is valid. Default: none.
 * - `after`: the step every later request gets; it takes no `times`. Default: a healthy answer.
 * - `models`: steps of their own for the requests that name a model, so that a fallback can be healthy while the first
 *   model is down. Such a request leaves the `steps` of the others where they are.
 * - `outages`: each gives its `step` to every request that arrives between `from` and `to` [for ever], counted from the
 *   start of the server or of the plan. Such a request takes none of the `steps`. Of outages that overlap, the first in
 *   the list counts. A model with steps of its own has outages of its own. An outage with a `share` [1] strikes only so many
 *   of the requests in its time, chosen by chance.
 * - `seed` [the empty text]: other seeds choose other requests for the shares. The choice depends on the seed, on the body of
 *   a request and on how often this body has come before, not on the order in which requests arrive: the same requests get
 *   the same answers every time, from as many callers at once as you like. Requests that should be chosen apart have to
 *   differ.
 * - `requestRules`: see {@link RequestRules}.
 * - `rateLimits`: see {@link RateLimits}.
 * - `batches`: see {@link Batches}.
 * - `$schema`: where an editor finds the JSON schema of plans; nothing else reads it.
 *
 * Steps are described at `FaultStep`.
 *
 * **Example** (Giving one model an outage)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const plan = FaultPlan.make({
 *   models: { "claude-opus-5-5": { after: FaultStep.overloaded() } }
 * })
 *
 * assert.strictEqual(plan.models?.["claude-opus-5-5"]?.after?.kind, "error")
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type FaultPlan = typeof Plan.Type

/**
 * The rate limits of a fake API: token buckets for requests, input and output that refill evenly, reported in the
 * `anthropic-ratelimit-*` headers of every answer and enforced.
 *
 * **Details**
 *
 * - `requests`, `inputTokens`, `outputTokens`: the limits a `window` [60 seconds]. One that is left out is as without
 *   `rateLimits`: 1,000,000 requests, a thousand million input and 200 million output tokens a minute, which no client of
 *   one machine uses up, so that one that follows the headers is not slowed down.
 * - `enforce` [true]: answers a request that does not fit with a 429 `rate_limit_error` and the wait in `retry-after`, in
 *   whole seconds. It takes nothing from the limits and no step of the plan. With `false` limits are only reported.
 * - `rounding`: to how many tokens `remaining` is rounded [1000, as the API does, but at most a hundredth of the limit].
 * - `models`: limits of their own for the requests that name a model. All others share one set.
 * - `ramp`: how fast usage may grow. In each `window` [that of the limits] no more is let in than `growth` [2] times what the
 *   window before had, and always so many `requests` and `inputTokens`; the first request of a window always fits. What is
 *   beyond gets a 429 with the code `ramp_limit_exceeded` and the time to the next window in `retry-after`. A window without
 *   requests starts from the floor again.
 * - `priority`: `inputTokens` and `outputTokens` of a Priority Tier. As long as they last, requests without
 *   `service_tier: "standard_only"` use them besides the other limits and are answered with `service_tier: "priority"`. All
 *   answers report them in `anthropic-priority-*` headers. Default: no Priority Tier.
 * - `fast`: `inputTokens` and `outputTokens` for requests with `speed: "fast"`, which use them in the place of the other
 *   tokens; their answers report them in `anthropic-fast-*` headers. Default: as generous as the others.
 * - `otherConsumers`: other programs that use the same limits and that the client does not see, from `from` [0] to `to`
 *   [for ever]: either a `share` of every limit, or `requestsPerSecond` of so many `inputTokens` [0] and `outputTokens`
 *   [0] each. Their requests come at even intervals; one that does not fit takes nothing.
 *
 * A request needs its estimated input, or the `usage` of its step once that is known, without what is read from the cache.
 * Output counts as it is produced, piece by piece in a stream, and a request is let in as long as any is left, so that
 * large answers can overdraw the limit. Errors use no tokens. Counting tokens uses nothing. `reset` is the time at which the
 * bucket is full again, in whole seconds, or to the millisecond with a window of less than a minute.
 *
 * **Example** (Sharing small limits with another program)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 *
 * const plan = FaultPlan.make({
 *   rateLimits: { requests: 60, inputTokens: 30_000, otherConsumers: { share: 0.5 } }
 * })
 *
 * assert.strictEqual(plan.rateLimits?.otherConsumers?.share, 0.5)
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type RateLimits = typeof RateLimitPlan.Type

/**
 * What is refused besides what a request says of itself.
 *
 * **Details**
 *
 * - `models` [`any`]: which models there are, those that the SDK knows (`known`) or those of a list. A request for another one
 *   gets a 404 `not_found_error`.
 * - `allowedFallbacks`: for a model, which others it may fall back to, as `allowed_fallback_models` in the API's list of models
 *   says it. A request with others in `fallbacks` gets a 400; with an empty list, every one that names any. Default: all.
 *
 * **Example** (Catching a typing error in a model's name)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 *
 * const plan = FaultPlan.make({ requestRules: { models: "known", allowedFallbacks: { "claude-haiku-4-5": [] } } })
 *
 * assert.strictEqual(plan.requestRules?.models, "known")
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type RequestRules = typeof RequestRulesPlan.Type

/**
 * What becomes of message batches, and of the requests for them.
 *
 * **Details**
 *
 * - `processingTime` [0]: how long a batch is in progress. One that is canceled before ends 50 milliseconds later, with the part
 *   of its requests canceled that was not yet due.
 * - `outcomes`: what becomes of requests; the first entry that fits counts, and without one the request succeeds. An entry has
 *   an `outcome` (`succeeded`, `errored`, `canceled` or `expired`) and says for which requests: those whose `custom_id` matches
 *   the regular expression `customId`, a `share` of all (those of the entries add up to 1 at most), and only the first
 *   `times` that a `custom_id` is submitted to this server. It may have an `error` [`api_error`], or the `text`, `stopReason` and
 *   `stopDetails` of a message. A request that the API would refuse is `errored` whatever the plan says.
 * - `seed`: other seeds choose other requests for the shares.
 * - `results`: what goes wrong with the downloads of results, one entry each. `how` is what happens after so many `afterLines`
 *   or `afterBytes` [half of the lines]: the body may `end` as if it were whole, the connection `reset` or `close`, or nothing
 *   more may come (`stall`). `edits` insert or replace whole lines, counted from 1.
 * - `steps`: for each of `create`, `list`, `retrieve`, `cancel`, `delete` and `results`, what is done with its requests, in
 *   order. A step of kind `message` does what was asked and answers with the step's `delay`, `bodyDelay`, `headers` and
 *   `interrupt`, so that a batch can be made and its answer lost; steps of other kinds do nothing else than they say.
 * - `archived` [false]: whether batches that have ended are past their 29 days, with their results gone.
 *
 * **Example** (Expiring one request in a hundred, and cutting the results)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 *
 * const plan = FaultPlan.make({
 *   batches: {
 *     processingTime: "1 second",
 *     outcomes: [{ outcome: "expired", share: 0.01 }],
 *     results: [{ how: "end", afterLines: 10 }]
 *   }
 * })
 *
 * assert.strictEqual(plan.batches?.outcomes?.length, 1)
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Batches = typeof BatchPlan.Type

/**
 * States a plan as JSON has it, or with any `Duration.Input` where a time goes.
 *
 * @category models
 * @since 0.1.0
 */
export type FaultPlanInput = typeof Plan.Encoded

/**
 * Decodes and encodes plans. Times decode from milliseconds or strings such as `"2 seconds"` and encode to
 * milliseconds.
 *
 * **Gotchas**
 *
 * Schemas drop unknown fields unless told otherwise. `decodeJson` and `make` refuse them; with the schema itself, pass
 * `{ onExcessProperty: "error" }`.
 *
 * **Example** (Writing a plan to JSON)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import * as Schema from "effect/Schema"
 *
 * const plan = FaultPlan.make({ steps: [FaultStep.slowFirstByte("2 seconds")] })
 *
 * assert.deepStrictEqual(Schema.encodeSync(FaultPlan.FaultPlan)(plan), {
 *   steps: [{ kind: "message", delay: 2000 }]
 * })
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const FaultPlan: Schema.Codec<FaultPlan, FaultPlanInput> = Plan

/**
 * Generates the JSON schema of plans (draft 2020-12), for editors and for programs in other languages. The package has it as the
 * file `fault-plan.schema.json`, and `effect-claude fake-api --schema` prints it.
 *
 * **Details**
 *
 * It takes the plans that {@link decodeJson} takes, and says of every field what it is. A plan that it refuses is wrong; one
 * that it takes may still be, since it knows nothing of rules such as that an `afterEvents` lies within the answer. A time is a
 * number of milliseconds or a string such as `"2 seconds"`.
 *
 * **Example** (Writing the schema to a file)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 *
 * const text = JSON.stringify(FaultPlan.jsonSchema(), null, 2)
 *
 * assert.include(text, "https://json-schema.org/draft/2020-12/schema")
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const jsonSchema: () => JsonSchema.JsonSchema = planJsonSchema

/**
 * Reports a plan that cannot be used. The message has a line for each mistake, with the path of the field and what was
 * expected there.
 *
 * @category errors
 * @since 0.1.0
 */
export class FaultPlanError extends Schema.TaggedError<FaultPlanError>("@effect-claude/testing/FaultPlanError")(
  "FaultPlanError",
  { message: Schema.String }
) {}

/**
 * Creates a plan and checks all of it.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` that names every wrong or unknown field with its value.
 *
 * **Example** (Failing twice, then answering)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 *
 * const plan = FaultPlan.make({
 *   steps: [FaultStep.rateLimit({ retryAfter: "1 second" }), FaultStep.reset()],
 *   after: FaultStep.message({ text: "Hello" })
 * })
 *
 * assert.strictEqual(plan.steps?.length, 2)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (plan: FaultPlanInput): FaultPlan =>
  Result.getOrThrowWith(decodePlan(plan), (mistakes) => new RangeError(`FaultPlan.make: ${mistakes}`))

/**
 * A plan without faults: every request gets a healthy answer.
 *
 * **Example** (Returning to health)
 *
 * ```ts
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as Effect from "effect/Effect"
 *
 * const recover = Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   yield* api.setPlan(FaultPlan.healthy)
 * })
 *
 * await Effect.runPromise(Effect.provide(recover, FakeClaudeApi.layer()))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const healthy: FaultPlan = {}

/**
 * Reads a plan from JSON text, such as the content of a file.
 *
 * **Details**
 *
 * Fails with a `FaultPlanError` that lists every mistake: text that is no JSON, a field that is unknown, missing or of
 * the wrong type, and values that contradict each other.
 *
 * **Example** (Reading a plan from a file's text)
 *
 * ```ts
 * import { assert } from "@effect/vitest"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const error = yield* Effect.flip(FaultPlan.decodeJson(`{ "steps": [{ "kind": "message", "dely": 5 }] }`))
 *   assert.strictEqual(error.message, "steps[0].dely: Unknown field")
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeJson = (text: string): Effect.Effect<FaultPlan, FaultPlanError> =>
  Effect.fromResult(Result.flatMap(parseJson(text), decodePlan)).pipe(
    Effect.mapError((message) => new FaultPlanError({ message }))
  )

/**
 * What a fake Claude API does with the requests it gets, one step a request, as a value that TypeScript can build and a
 * JSON file can hold.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decodePlan } from "./internal/fake/PlanDecoding.ts"
import { Plan } from "./internal/fake/StepSchema.ts"

/**
 * Describes what a fake Claude API does with its requests: `steps` in order, then `after` for ever.
 *
 * **Details**
 *
 * - `steps`: each answers one request to `/v1/messages` or `/v1/messages/count_tokens`, or `times` of them. A request
 *   takes its step when its body has arrived, whether or not it is valid. Default: none.
 * - `after`: the step every later request gets; it takes no `times`. Default: a healthy answer.
 * - `models`: steps of their own for the requests that name a model, so that a fallback can be healthy while the first
 *   model is down. Such a request leaves the `steps` of the others where they are.
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

const parseJson = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => `Not JSON: ${cause instanceof Error ? cause.message : "it cannot be parsed"}`
  })

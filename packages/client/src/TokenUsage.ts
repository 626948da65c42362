/**
 * What an answer took, in tokens: as one value that can be added up over attempts, parts of a stream, turns and steps.
 *
 * **Details**
 *
 * `inputTokens` is what was read at the full price. What was written to the prompt cache and read from it is counted apart, as
 * the API bills it: the whole input is the sum of the three ({@link totalInput}).
 *
 * **Example** (Adding up two answers)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const one = TokenUsage.of(Reply.message("Hello", { usage: { output_tokens: 5 } }))
 * const two = TokenUsage.of(Reply.message("Hello again", { usage: { output_tokens: 7, cache_read_input_tokens: 900 } }))
 *
 * const both = TokenUsage.add(one, two)
 * assert.strictEqual(both.outputTokens, 12)
 * assert.strictEqual(TokenUsage.totalInput(both), 920)
 * ```
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/**
 * Tokens that were used. As a value it is their Schema.
 *
 * **Details**
 *
 * - `inputTokens`: input that was neither read from the prompt cache nor written to it
 * - `outputTokens`: output, thinking included
 * - `cacheReadTokens`, `cacheWriteTokens`: input that was read from the prompt cache, and written to it
 *
 * @category models
 * @since 0.1.0
 */
export const TokenUsage = Schema.Struct({
  inputTokens: Schema.Finite,
  outputTokens: Schema.Finite,
  cacheReadTokens: Schema.Finite,
  cacheWriteTokens: Schema.Finite
})

/**
 * Tokens that were used.
 *
 * @category models
 * @since 0.1.0
 */
export type TokenUsage = typeof TokenUsage.Type

/**
 * Nothing used.
 *
 * @category constructors
 * @since 0.1.0
 */
export const zero: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

// Bounded, so that no sum of what a gateway made up is infinite.
const count = (value: unknown): number =>
  Predicate.isNumber(value) && Number.isFinite(value) && value > 0 ? Math.min(value, Number.MAX_SAFE_INTEGER) : 0

/**
 * What an answer, or anything else with a `usage` of the API's form, says it took. What it does not say is 0.
 *
 * **Example** (Reading a gateway's answer)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * assert.deepStrictEqual(TokenUsage.of({ usage: { input_tokens: 12 } }), { ...TokenUsage.zero, inputTokens: 12 })
 * assert.deepStrictEqual(TokenUsage.of({}), TokenUsage.zero)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (answer: { readonly usage?: unknown }): TokenUsage => {
  if (!Predicate.isObject(answer.usage)) return zero
  const usage: { readonly [name: string]: unknown } = { ...answer.usage }
  return {
    inputTokens: count(usage["input_tokens"]),
    outputTokens: count(usage["output_tokens"]),
    cacheReadTokens: count(usage["cache_read_input_tokens"]),
    cacheWriteTokens: count(usage["cache_creation_input_tokens"])
  }
}

/**
 * The sum of two.
 *
 * **Example** (Summing the turns of a conversation)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * const turns = [{ ...TokenUsage.zero, outputTokens: 3 }, { ...TokenUsage.zero, outputTokens: 4 }]
 * assert.strictEqual(turns.reduce(TokenUsage.add, TokenUsage.zero).outputTokens, 7)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const add = (one: TokenUsage, other: TokenUsage): TokenUsage => ({
  inputTokens: one.inputTokens + other.inputTokens,
  outputTokens: one.outputTokens + other.outputTokens,
  cacheReadTokens: one.cacheReadTokens + other.cacheReadTokens,
  cacheWriteTokens: one.cacheWriteTokens + other.cacheWriteTokens
})

/**
 * All input: at the full price, read from the prompt cache, and written to it.
 *
 * **Example** (Counting the input of a cached prompt)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(TokenUsage.totalInput({ ...TokenUsage.zero, inputTokens: 20, cacheReadTokens: 900 }), 920)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const totalInput = ({ cacheReadTokens, cacheWriteTokens, inputTokens }: TokenUsage): number =>
  inputTokens + cacheReadTokens + cacheWriteTokens

/**
 * All tokens: {@link totalInput} and the output.
 *
 * **Example** (Comparing with a budget)
 *
 * ```ts
 * import * as TokenUsage from "@effect-claude/client/TokenUsage"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(TokenUsage.total({ ...TokenUsage.zero, inputTokens: 20, outputTokens: 5 }), 25)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const total = (usage: TokenUsage): number => totalInput(usage) + usage.outputTokens

/**
 * Keys that tell requests apart, for caches and for counting: equal when two requests ask the same.
 *
 * **Example** (Comparing two requests)
 *
 * ```ts
 * import * as RequestKey from "@effect-claude/client/RequestKey"
 * import { assert } from "@effect/vitest"
 *
 * const one = RequestKey.make({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user", content: "Hello" }]
 * })
 * const other = RequestKey.make({
 *   messages: [{ content: "Hello", role: "user" }],
 *   max_tokens: 100,
 *   model: "claude-sonnet-5-5",
 *   stream: false
 * })
 * assert.strictEqual(one, other)
 * ```
 *
 * @since 0.1.0
 */
import type { CallOptions, MessageRequest } from "./ClaudeService.ts"
import { canonicalRequest } from "./internal/canonicalRequest.ts"
import { sha256 } from "./internal/sha256.ts"

/**
 * What may be left out of a key, and what goes into it beside the request.
 *
 * **Details**
 *
 * - `headers`: those sent along with the request; none
 * - `ignore`: fields of the request that are not to tell two of them apart, such as `metadata`; none
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestKeyOptions extends CallOptions {
  readonly ignore?: ReadonlyArray<keyof MessageRequest | (string & {})> | undefined
}

/**
 * The key of a request: a SHA-256 hash, from which the request cannot be read.
 *
 * **Details**
 *
 * Every field counts but `stream`, whether the SDK knows it or not. The order of names does not, that of arrays does;
 * `undefined` is as good as absent. Every header counts, `anthropic-beta` and credentials among them, but those that only identify a request or its trace.
 *
 * **Gotchas**
 *
 * `metadata.user_id` counts: users do not share a key unless `ignore` has `"metadata"`. A request that is no JSON (a cycle,
 * a bigint) throws a `TypeError`; it could not be sent either.
 *
 * **Example** (Letting users share a key)
 *
 * ```ts
 * import * as RequestKey from "@effect-claude/client/RequestKey"
 * import { assert } from "@effect/vitest"
 *
 * const ask = (user_id: string) => ({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user" as const, content: "Hello" }],
 *   metadata: { user_id }
 * })
 * const keyOf = (user: string) => RequestKey.make(ask(user), { ignore: ["metadata"] })
 *
 * assert.strictEqual(keyOf("ann"), keyOf("bob"))
 * assert.notStrictEqual(RequestKey.make(ask("ann")), RequestKey.make(ask("bob")))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (request: MessageRequest, options: RequestKeyOptions = {}): string =>
  sha256(canonicalRequest(request, options.headers, options.ignore))

/**
 * The file format of cassettes.
 *
 * **Details**
 *
 * A cassette is one JSON file. `docs/cassettes.md` describes each field. In short: `exchanges` has every request in the order
 * in which they were sent, with its `outcome`: a response, a failure of the transport, or that the caller gave up. The body
 * of a response is its `content` (as `json`, as `lines` of text, or as base64 where it is no UTF-8) and its `chunks`, each
 * a pair of milliseconds since the headers and a number of bytes.
 *
 * **Example** (Looking at what was recorded)
 *
 * ```ts
 * import * as CassetteFile from "@effect-claude/testing/CassetteFile"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const text = JSON.stringify({
 *   format: "effect-claude-cassette",
 *   version: 1,
 *   prompts: "redact",
 *   digest: "sha256",
 *   exchanges: [{
 *     at: "2026-11-26T14:05:00.000Z",
 *     request: { method: "GET", path: "/v1/messages/batches/msgbatch_1", headers: {} },
 *     outcome: { kind: "failed", after: 12, error: { type: "TypeError", name: "TypeError", message: "fetch failed" } }
 *   }]
 * })
 * const recording = await Effect.runPromise(CassetteFile.decodeJson(text))
 * assert.deepStrictEqual(recording.exchanges.map(({ outcome }) => outcome.kind), ["failed"])
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { CassetteError } from "./CassetteError.ts"
import * as Internal from "./internal/cassette/RecordingSchema.ts"
import { decodeText, encodeText } from "./internal/cassette/RecordingText.ts"

/**
 * What a cassette holds.
 *
 * **Details**
 *
 * - `prompts`: whether requests are stored as they were or as their shape
 * - `digest`: how the texts in a shape are hashed; with a secret, `digestCheck` tells whether it is the same one
 *
 * @category models
 * @since 0.1.0
 */
export type Recording = Internal.Recording

/**
 * A request that was recorded, and what came of it. `at` is when it was sent.
 *
 * @category models
 * @since 0.1.0
 */
export type Exchange = Internal.Exchange

/**
 * What came of a request.
 *
 * **Details**
 *
 * - `response`: headers came `after` so many milliseconds. `body.end` says how the body ended: whole, by a failure, or because
 *   its reader had enough or gave up
 * - `failed`: the transport failed before there were headers
 * - `abandoned`: the caller gave up before there were headers, such as after a timeout
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = Internal.Outcome

/**
 * The version of the format that is written, and the only one that is read.
 *
 * @category constants
 * @since 0.1.0
 */
export const version: number = Internal.version

/**
 * Decodes and encodes what is in a file.
 *
 * **Gotchas**
 *
 * Schemas drop unknown fields unless told otherwise. {@link decodeJson} refuses them.
 *
 * **Example** (Describing the format to other tools)
 *
 * ```ts
 * import * as CassetteFile from "@effect-claude/testing/CassetteFile"
 * import { assert } from "@effect/vitest"
 * import * as Schema from "effect/Schema"
 *
 * const document = Schema.toJsonSchemaDocument(CassetteFile.Recording)
 * assert.strictEqual(document.schema.type, "object")
 * ```
 *
 * @category schemas
 * @since 0.1.0
 */
export const Recording: Schema.Codec<Recording, typeof Internal.Recording.Encoded> = Internal.Recording

/**
 * Reads the text of a cassette. Fails with a `CassetteError` of the reason `Invalid` that has a line for each mistake, and
 * quotes nothing of the file.
 *
 * **Example** (Refusing a cassette of tomorrow)
 *
 * ```ts
 * import * as CassetteFile from "@effect-claude/testing/CassetteFile"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const text = `{ "format": "effect-claude-cassette", "version": 2 }`
 * const error = await Effect.runPromise(Effect.flip(CassetteFile.decodeJson(text)))
 * assert.strictEqual(error.reason, "Invalid")
 * assert.match(error.message, /^version: 2 is newer than 1/)
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeJson = (text: string): Effect.Effect<Recording, CassetteError> =>
  Effect.mapError(
    Effect.fromResult(decodeText(text)),
    (message) => new CassetteError({ message, reason: "Invalid" })
  )

/**
 * Writes the text of a cassette: one field a line, so that a changed answer is a changed line in a review.
 *
 * **Example** (Writing a cassette by hand)
 *
 * ```ts
 * import * as CassetteFile from "@effect-claude/testing/CassetteFile"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const recording: CassetteFile.Recording = {
 *   format: "effect-claude-cassette",
 *   version: 1,
 *   prompts: "redact",
 *   digest: "sha256",
 *   exchanges: []
 * }
 * const text = CassetteFile.encodeJson(recording)
 * assert.deepStrictEqual(await Effect.runPromise(CassetteFile.decodeJson(text)), recording)
 * ```
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeJson = (recording: Recording): string => encodeText(recording)

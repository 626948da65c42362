/**
 * What can be wrong with a cassette, and with a request that is not on it.
 *
 * **Example** (Recording what is missing)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { tmpdir } from "node:os"
 *
 * const file = `${tmpdir()}/missing-${process.pid}.json`
 * const program = Cassette.replay({ file }).pipe(
 *   Effect.catchIf(({ reason }) => reason === "Missing", () => Cassette.record({ file })),
 *   Effect.map(({ mode }) => mode),
 *   Effect.scoped,
 *   Effect.provide(NodeFileSystem.layer)
 * )
 *
 * assert.strictEqual(await Effect.runPromise(program), "record")
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Reports a cassette that cannot be read or written.
 *
 * **Details**
 *
 * `reason` is:
 *
 * - `Missing`: there is no such file. The message says how to record one.
 * - `Invalid`: the file is none of a cassette, or of a newer version. The message has a line for each mistake, with the
 *   path of the field; it never quotes what the file holds.
 * - `Settings`: the file was recorded with options that contradict those of now, such as another `secret`.
 * - `System`: the file system said no.
 *
 * @category errors
 * @since 0.1.0
 */
export class CassetteError extends Schema.TaggedError<CassetteError>("@effect-claude/testing/CassetteError")(
  "CassetteError",
  {
    message: Schema.String,
    reason: Schema.Literals(["Missing", "Invalid", "Settings", "System"]),
    file: Schema.optionalKey(Schema.String),
    cause: Schema.optionalKey(Schema.Defect())
  }
) {}

/**
 * Reports a request that a cassette has no answer for, or no further answer: the recording ends where its caller gave up.
 *
 * **Details**
 *
 * Behind a layer of `Cassette` it is a defect, so that no policy hides it. The `fetch` of a cassette rejects with it; the
 * SDK puts it into the `cause` of an `APIConnectionError`, and a client of this toolkit makes a `ConnectionError` of that
 * which is not retried, since no retry would find it either.
 *
 * - `method`, `path`: what was asked for.
 * - `nearest`: the number, from 1, of the exchange in the file that is the most like it.
 * - `difference`: the first field in which the two differ, such as `messages[0].content`.
 * - `code`: a number of its own, which survives where the error itself is wrapped.
 *
 * The message has no text of a prompt unless the cassette keeps prompts.
 *
 * @category errors
 * @since 0.1.0
 */
export class CassetteMismatchError
  extends Schema.TaggedError<CassetteMismatchError>("@effect-claude/testing/CassetteMismatchError")(
    "CassetteMismatchError",
    {
      message: Schema.String,
      code: Schema.String,
      method: Schema.String,
      path: Schema.String,
      nearest: Schema.optionalKey(Schema.Int),
      difference: Schema.optionalKey(Schema.String)
    }
  )
{
  // The SDK takes an error for a timeout, and drops it, if its text speaks of one; a prompt that is kept might.
  override toString(): string {
    return `${this._tag}: ${this.method} ${this.path}`
  }
}

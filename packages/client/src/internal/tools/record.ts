import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const format = "effect-claude/tool-run/1"
const beginning = `{"format":"${format}"`

/**
 * What is found under a key: nothing, the beginning of a record whose writer was killed, a whole record, or something that
 * nobody of us has written there.
 */
export type Found<A> =
  | { readonly _tag: "Missing" }
  | { readonly _tag: "Torn" }
  | { readonly _tag: "Whole"; readonly value: A }
  | { readonly _tag: "Corrupt"; readonly issue: string }

/** How a kind of record is written and read. */
export interface RecordCodec<A> {
  readonly write: (value: A) => string
  readonly read: (text: string | undefined) => Found<A>
}

const issuesOf = SchemaIssue.makeFormatterDefault()

/**
 * A record is one line of JSON that begins with the format, names its run, and ends with the end of the line: files are not
 * written at once, and a writer that is killed may leave any beginning of one, the empty one too.
 */
export const recordCodec = <S extends Schema.ConstraintCodec<unknown, unknown>>(
  runId: string,
  schema: S
): RecordCodec<S["Type"]> => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeSync(codec)
  const decode = Schema.decodeUnknownResult(codec, { errors: "all" })
  return {
    write: (value) => `${JSON.stringify({ format, run: runId, value: encode(value) })}\n`,
    read: (text) => {
      if (text === undefined) return { _tag: "Missing" }
      if (!text.endsWith("\n")) {
        return beginning.startsWith(text) || text.startsWith(beginning) ? { _tag: "Torn" } : notOurs
      }
      const record = parsed(text)
      if (!isRecord(record)) return notOurs
      if (record.run !== runId) return { _tag: "Corrupt", issue: "it belongs to another run" }
      const result = decode(record.value)
      return result._tag === "Success"
        ? { _tag: "Whole", value: result.success }
        : { _tag: "Corrupt", issue: issuesOf(result.failure.issue) }
    }
  }
}

const notOurs = { _tag: "Corrupt", issue: "it is no record of a tool loop" } as const

const isRecord = Schema.is(Schema.Struct({ format: Schema.Literal(format), run: Schema.String, value: Schema.Unknown }))

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

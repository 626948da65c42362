import * as Schema from "effect/Schema"
import { sizeOf } from "./BodyContent.ts"

/** What the file says it is, and the one version that is read. */
export const format = "effect-claude-cassette"
export const version = 1

const whole = (minimum: number, maximum: number, expected: string) =>
  Schema.Finite.check(
    Schema.makeFilter((n) => Number.isSafeInteger(n) && n >= minimum && n <= maximum, { expected })
  )

const Millis = whole(0, Number.MAX_SAFE_INTEGER, "a whole number of milliseconds, not negative")
const Bytes = whole(1, Number.MAX_SAFE_INTEGER, "a whole number of bytes above zero")
const Status = whole(200, 599, "an HTTP status from 200 to 599")

const Instant = Schema.String.check(
  Schema.makeFilter((text) => /^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text)), {
    expected: "a time such as 2026-11-26T14:05:00.000Z"
  })
)

const Base64 = Schema.String.check(
  Schema.makeFilter((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), { expected: "base64" })
)

const HeaderName = Schema.String.check(
  Schema.isPattern(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/, { expected: "a header name in lower case" })
)
const HeaderValue = Schema.String.check(
  Schema.isPattern(/^[\t\x20-\x7e\x80-\xff]*$/, { expected: "a header value on one line" })
)
const Headers = Schema.Record(HeaderName, HeaderValue)

/** An error of the HTTP client as far as anybody can tell one from another. */
export interface StoredError {
  readonly type: "Error" | "TypeError" | "DOMException" | "AggregateError"
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly errno?: number
  readonly syscall?: string
  readonly cause?: StoredError
}

const StoredError: Schema.Codec<StoredError> = Schema.Struct({
  type: Schema.Literals(["Error", "TypeError", "DOMException", "AggregateError"]),
  name: Schema.String,
  message: Schema.String,
  code: Schema.optionalKey(Schema.String),
  errno: Schema.optionalKey(Schema.Finite),
  syscall: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.suspend((): Schema.Codec<StoredError> => StoredError))
})

const Content = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("json"), json: Schema.Json }),
  Schema.Struct({
    kind: Schema.Literal("text"),
    lines: Schema.NonEmptyArray(Schema.String),
    rest: Schema.optionalKey(Base64)
  }),
  Schema.Struct({ kind: Schema.Literal("base64"), lines: Schema.Array(Base64) })
])

const End = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("complete"), at: Millis }),
  Schema.Struct({ kind: Schema.Literal("failed"), at: Millis, error: StoredError }),
  Schema.Struct({ kind: Schema.Literal("abandoned"), at: Millis })
])

const Body = Schema.Struct({
  content: Content,
  chunks: Schema.Array(Schema.Tuple([Millis, Bytes])),
  end: End
}).check(
  Schema.makeFilter(({ chunks, content, end }) => {
    const size = sizeOf(content)
    const told = chunks.reduce((sum, [, bytes]) => sum + bytes, 0)
    if (told !== size) {
      return {
        path: ["chunks"],
        issue: `Expected chunks of ${size} bytes together, the size of the content, got ${told}`
      }
    }
    const late = [...chunks.map(([at]) => at), end.at].some((at, index, all) => at < (all[index - 1] ?? 0))
    return late ? { path: ["chunks"], issue: "Expected times that do not go back" } : undefined
  })
)

const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

const Outcome = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("response"),
    after: Millis,
    status: Status,
    statusText: Schema.optionalKey(HeaderValue),
    headers: Headers,
    body: Schema.NullOr(Body)
  }).check(
    Schema.makeFilter(({ body, status }) =>
      body !== null && bodiless.has(status)
        ? { path: ["body"], issue: `Expected null: a ${status} has no body` }
        : undefined
    )
  ),
  Schema.Struct({ kind: Schema.Literal("failed"), after: Millis, error: StoredError }),
  Schema.Struct({ kind: Schema.Literal("abandoned"), after: Millis })
])

const Exchange = Schema.Struct({
  at: Instant,
  request: Schema.Struct({
    method: Schema.NonEmptyString,
    path: Schema.String.check(Schema.isPattern(/^\//, { expected: "a path" })),
    headers: Headers,
    body: Schema.optionalKey(Schema.Json)
  }),
  outcome: Outcome
})

export const Recording = Schema.Struct({
  format: Schema.Literal(format),
  version: Schema.Literal(version),
  prompts: Schema.Literals(["redact", "keep"]),
  digest: Schema.Literals(["sha256", "hmac-sha256"]),
  digestCheck: Schema.optionalKey(Schema.String),
  exchanges: Schema.Array(Exchange)
}).check(
  Schema.makeFilter(({ digest, digestCheck }) =>
    digest === "hmac-sha256" && digestCheck === undefined
      ? { path: ["digestCheck"], issue: "Missing field" }
      : undefined
  )
)

export type Recording = typeof Recording.Type
export type Exchange = typeof Exchange.Type
export type Outcome = Exchange["outcome"]
export type StoredBody = typeof Body.Type
export type Content = typeof Content.Type

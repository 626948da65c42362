import * as SdkFailure from "@effect-claude/client/SdkFailure"
import type * as Schema from "effect/Schema"
import { type AnswerRules, storedText } from "./AnswerText.ts"
import { contentOf, textOf } from "./BodyContent.ts"
import { movedChunks } from "./BodyLines.ts"
import type { CapturedRequest, RequestBody } from "./CapturedRequest.ts"
import { Digest } from "./Digest.ts"
import type { RecordedBody, RecordedExchange } from "./RecordedExchange.ts"
import type { Exchange, Outcome, StoredBody } from "./RecordingSchema.ts"
import { requestShape } from "./RequestShape.ts"
import { Secrets } from "./Secrets.ts"
import { storedError } from "./StoredError.ts"
import { type HeaderRules, storedRequestHeaders, storedResponseHeaders } from "./StoredHeaders.ts"
import { pathBeforeApi, storedPath } from "./StoredPath.ts"

export interface RedactionOptions {
  readonly prompts: "redact" | "keep"
  readonly answers: "keep" | "redact" | ((text: string) => string)
  readonly identities: "redact" | "keep"
  readonly headers: ReadonlyArray<string>
  readonly patterns: ReadonlyArray<RegExp>
  readonly secret: string | undefined
}

const withoutLetters = (text: string): string => text.replace(/[\p{L}\p{N}]/gu, "x")

const saidBy = (answers: RedactionOptions["answers"]): ((text: string) => string) | undefined => {
  switch (answers) {
    case "keep":
      return undefined
    case "redact":
      return withoutLetters
    default:
      // Nothing was said: a line that is empty has to stay so.
      return (text) => text === "" ? "" : answers(text)
  }
}

// As much of a text as an error takes at a time.
const portion = 900

/** A request as it is stored, and as another one is compared with it. */
export type StoredRequest = Exchange["request"]

/** Decides what of the traffic is stored, and how. */
export class Redaction {
  readonly prompts: "redact" | "keep"
  readonly digest: Digest
  readonly #secrets: Secrets
  readonly #headers: HeaderRules
  readonly #said: ((text: string) => string) | undefined

  constructor(options: RedactionOptions) {
    this.prompts = options.prompts
    this.digest = new Digest(options.secret)
    this.#secrets = new Secrets(options.patterns)
    this.#said = saidBy(options.answers)
    this.#headers = {
      extra: new Set(options.headers.map((name) => name.toLowerCase())),
      identities: options.identities,
      clean: this.#secrets.clean
    }
  }

  /** Takes note of the credentials of a request, so that they are found wherever else they turn up. */
  learn(request: CapturedRequest): void {
    this.#secrets.learn(request)
  }

  request({ body, headers, method, url }: CapturedRequest): StoredRequest {
    const stored = this.#requestBody(body)
    return {
      method,
      path: storedPath(url, this.digest, this.#secrets.clean),
      headers: storedRequestHeaders(headers, this.#headers),
      ...(stored === undefined ? undefined : { body: stored })
    }
  }

  /** An exchange as far as it has come; what is not over counts as abandoned `now`. */
  exchange({ at, outcome, request }: RecordedExchange, now: number): Exchange {
    return {
      at: new Date(at).toISOString(),
      request: this.request(request),
      outcome: this.#outcome(outcome, request, Math.max(0, Math.round(now - at)))
    }
  }

  #requestBody(body: RequestBody): Schema.Json | undefined {
    switch (body.kind) {
      case "none":
        return undefined
      case "bytes":
        return this.digest.bytes(body.bytes)
      case "json":
        return this.prompts === "redact"
          ? requestShape(body.json, this.digest, this.#secrets.isSecret)
          : this.#cleanJson(body.json)
    }
  }

  #cleanJson(value: unknown, name = ""): Schema.Json {
    if (typeof value === "string") return this.#secrets.cleanField(name, value)
    if (typeof value === "number") return this.#secrets.cleanNumber(name, value)
    if (Array.isArray(value)) return value.map((item) => this.#cleanJson(item, name))
    if (typeof value !== "object" || value === null) return value as Schema.Json
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [this.#secrets.clean(name), this.#cleanJson(item, name)])
    )
  }

  #outcome(outcome: RecordedExchange["outcome"], request: CapturedRequest, elapsed: number): Outcome {
    switch (outcome.kind) {
      case "pending":
        return { kind: "abandoned", after: elapsed }
      case "abandoned":
        return outcome
      case "failed":
        return { kind: "failed", after: outcome.after, error: this.#error(outcome.thrown, request) }
      case "response": {
        const { after, body, headers, status, statusText } = outcome
        const stored = body === null ? null : this.#body(body, status >= 400, request, elapsed - after)
        const storedHeaders = storedResponseHeaders(headers, this.#headers)
        if (stored?.hasChanged === true) delete storedHeaders["content-length"]
        return {
          kind: "response",
          after,
          status,
          ...(statusText === "" ? undefined : { statusText: this.#secrets.clean(statusText) }),
          headers: storedHeaders,
          body: stored === null ? null : stored.body
        }
      }
    }
  }

  #body(body: RecordedBody, failed: boolean, request: CapturedRequest, elapsed: number) {
    const { end } = body
    const { bytes, chunks, hasChanged } = this.#bytes(body, failed, request)
    const stored: StoredBody = {
      content: contentOf(bytes),
      chunks,
      end: end.kind === "open"
        ? { kind: "abandoned", at: Math.max(elapsed, chunks.at(-1)?.[0] ?? 0) }
        : end.kind === "failed"
        ? { kind: "failed", at: end.at, error: this.#error(end.thrown, request) }
        : end
    }
    return { body: stored, hasChanged }
  }

  #bytes(body: RecordedBody, failed: boolean, request: CapturedRequest) {
    const bytes = Buffer.concat(body.chunks.map(([, piece]) => piece))
    const chunks = body.chunks.map(([at, piece]) => [at, piece.byteLength] as const)
    const read = textOf(bytes)
    if (read === undefined) return this.#binary(bytes, chunks)
    const lines = storedText(read.text, this.#rules(failed, request))
    if (lines.every(({ after, before }) => after === before)) return { bytes, chunks, hasChanged: false }
    return {
      bytes: Buffer.concat([...lines.map(({ after }) => Buffer.from(after)), read.rest]),
      chunks: movedChunks(
        chunks,
        lines.map(({ after, before }) => ({ before: Buffer.byteLength(before), after: Buffer.byteLength(after) }))
      ),
      hasChanged: true
    }
  }

  /** Nobody can read it, but a key in it would still be one. */
  #binary(bytes: Buffer, chunks: ReadonlyArray<readonly [number, number]>) {
    const before = bytes.toString("latin1")
    const after = this.#said === undefined ? this.#secrets.clean(before) : before.replace(/[^]/g, "x")
    if (after === before) return { bytes, chunks, hasChanged: false }
    return {
      bytes: Buffer.from(after, "latin1"),
      chunks: movedChunks(chunks, [{ before: before.length, after: after.length }]),
      hasChanged: true
    }
  }

  #rules(failed: boolean, request: CapturedRequest): AnswerRules {
    return {
      clean: this.#secrets.clean,
      cleanField: this.#secrets.cleanField,
      cleanNumber: this.#secrets.cleanNumber,
      failure: this.prompts === "keep" ? (text) => text : (text) => withoutEcho(text, request),
      said: this.#said,
      failed
    }
  }

  #error(thrown: unknown, request: CapturedRequest) {
    const clean = (text: string): string => this.#secrets.clean(withoutHost(text, request.url))
    return storedError(
      thrown,
      // A name or a code is no echo, and has to stay what it is.
      this.prompts === "keep" ? clean : (text) => /^\w*$/.test(text) ? clean(text) : withoutEcho(clean(text), request)
    )
  }
}

/** What the API says about a request, without what it repeats of it. */
const withoutEcho = (text: string, { body }: CapturedRequest): string => {
  if (body.kind !== "json" || !/\w/.test(text)) return text
  const portions = Array.from(
    { length: Math.ceil(text.length / portion) },
    (_, index) => text.slice(index * portion, (index + 1) * portion)
  )
  return portions.map((said) =>
    /\w/.test(said)
      ? SdkFailure.fromAnswer({ body: { error: { message: said } } }, { request: body.json }).message
      : said
  ).join("")
}

const address = /\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[?[0-9a-f]{0,4}(:[0-9a-f]{0,4}){3,7}\]?(:\d+)?/gi

/** Where the API was reached is nobody's business but the recorder's. */
const withoutHost = (text: string, url: URL): string => {
  const names = [url.host, url.hostname].filter((name) => name !== "")
  const where = [url.search, pathBeforeApi(url)].filter(({ length }) => length > 1)
  return where.reduce(
    (clean, part) => clean.replaceAll(part, ""),
    names.reduce((clean, name) => clean.replaceAll(name, "<host>"), text)
  ).replace(address, "<host>")
}

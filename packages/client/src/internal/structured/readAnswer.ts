import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { contentOf, textOf } from "../answer/blocks.ts"
import { type Candidate, findJson, type Found } from "./findJson.ts"
import { deepestJson, isJsonArray, isJsonObject, isSameJson, isTooDeep } from "./jsonValue.ts"
import { matchCase } from "./matchCase.ts"
import { parseJson } from "./parseJson.ts"
import type { WireSchema } from "./wireSchema.ts"

/** Something that is wrong with an answer, and where in its JSON. */
export interface Issue {
  readonly message: string
  readonly path: ReadonlyArray<PropertyKey>
}

/** What came of reading an answer. `json` is what the value was decoded from. */
export type Reading<A> =
  | { readonly _tag: "Value"; readonly value: A; readonly json: Schema.Json }
  | { readonly _tag: "Issues"; readonly issues: ReadonlyArray<Issue> }

/** What is read of an answer: its text, and the inputs of the calls of the tool that was to be called. */
export interface Parts {
  readonly text: string
  readonly inputs: ReadonlyArray<unknown>
}

export const partsOf = (message: Message, tool: string | undefined): Parts => ({
  text: contentOf(message).map(textOf).join(""),
  inputs: contentOf(message).flatMap((block) => block.type === "tool_use" && block.name === tool ? [block.input] : [])
})

const failed = (message: string): Reading<never> => ({ _tag: "Issues", issues: [{ message, path: [] }] })

const tooDeep = `The JSON nests deeper than ${deepestJson} levels`

/** The JSON in an answer. What a tool was called with is the answer, and the text beside it is none. */
export const jsonOf = ({ inputs, text }: Parts): Found => {
  if (inputs.length === 0) return findJson(text)
  const candidates: Array<Candidate> = []
  const broken: Array<string> = []
  for (const input of inputs) {
    if (typeof input === "string") {
      const found = findJson(input)
      candidates.push(...found.candidates)
      broken.push(...found.broken)
      if (found.candidates.length === 0 && found.broken.length === 0) broken.push("it is none")
    } else if (isTooDeep(input)) {
      broken.push(`it nests deeper than ${deepestJson} levels`)
    } else {
      candidates.push({ json: input as Schema.Json, isAlone: true })
    }
  }
  return { candidates, broken }
}

// Each is decoded, which takes far longer than to find it.
const mostCandidates = 100

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const issuesOf = (issue: SchemaIssue.Issue): ReadonlyArray<Issue> =>
  formatIssue(issue).issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map((segment) => typeof segment === "object" ? segment.key : segment)
  }))

/** What of a candidate may be the value: what stands under the wrapper, the whole, or JSON that is escaped in a string. */
const readings = ({ isAlone, json }: Candidate, wrapper: string | undefined): ReadonlyArray<Schema.Json> => {
  if (isAlone && typeof json === "string") {
    const inner = parseJson(json, 0, true)
    const escaped = "value" in inner && isJsonObject(inner.value)
      ? readings({ json: inner.value, isAlone: true }, wrapper)
      : []
    return wrapper === undefined ? escaped : [...escaped, json]
  }
  if (wrapper === undefined) return [json]
  const wrapped = isJsonObject(json) && Object.hasOwn(json, wrapper) ? [json[wrapper] ?? null] : []
  // A number may be the beginning of a longer one, and whatever stands in a sentence may be no answer at all.
  return isAlone && typeof json !== "number" ? [...wrapped, json] : wrapped
}

// Another object with the same keys is another try at the answer; one with other keys is about something else.
const isRival = (json: Schema.Json, taken: Schema.Json): boolean => {
  if (isJsonArray(json)) return json.some((item) => isJsonObject(item))
  return isJsonObject(json) && isJsonObject(taken) && Object.keys(json).some((key) => Object.hasOwn(taken, key))
}

const isSame = <A>(one: Decoded<A>, other: Decoded<A>): boolean =>
  isSameJson(one.json, other.json) || Equal.equals(one.value, other.value)

interface Decoded<A> {
  readonly candidate: Schema.Json
  readonly json: Schema.Json
  readonly value: A
}

/** Reads answers by a Schema: exactly one value, or what is wrong. */
export const makeReader = <A, R>(codec: Schema.ConstraintDecoder<A, R>, wire: WireSchema) => {
  const decodeJson = SchemaParser.decodeUnknownEffect(codec, { errors: "all" })

  const wanted = wire.wrapper === undefined
    ? "Expected a JSON object"
    : `Expected a JSON object with the key "${wire.wrapper}"`

  const decode = (json: Schema.Json): Effect.Effect<A, ReadonlyArray<Issue>, R> =>
    decodeJson(json).pipe(
      Effect.catch((issue) => {
        const changed = matchCase(wire, json)
        return isSameJson(changed, json) ? Effect.fail(issue) : Effect.mapError(decodeJson(changed), () => issue)
      }),
      Effect.mapError(issuesOf)
    )

  const decodeCandidate = (candidate: Candidate): Effect.Effect<Decoded<A>, ReadonlyArray<Issue>, R> => {
    const [first, ...others] = readings(candidate, wire.wrapper)
    if (first === undefined) return Effect.fail([{ message: wanted, path: [] }])
    const attempt = (json: Schema.Json) =>
      Effect.map(decode(json), (value): Decoded<A> => ({ candidate: candidate.json, json, value }))
    return others.reduce(
      (decoded, json) => decoded.pipe(Effect.catch((issues) => Effect.mapError(attempt(json), () => issues))),
      attempt(first)
    )
  }

  return Effect.fnUntraced(function*({ broken, candidates }: Found): Effect.fn.Return<Reading<A>, never, R> {
    if (candidates.length > mostCandidates) {
      return failed(`There are more than ${mostCandidates} pieces of JSON: one is expected`)
    }
    const decoded: Array<Decoded<A>> = []
    const issues: Array<readonly [Schema.Json, ReadonlyArray<Issue>]> = []
    for (const candidate of candidates) {
      if (isTooDeep(candidate.json)) return failed(tooDeep)
      yield* Effect.match(decodeCandidate(candidate), {
        onSuccess: (one) => decoded.push(one),
        onFailure: (wrong) => issues.push([candidate.json, wrong])
      })
    }
    const [first] = decoded
    const [reason] = broken
    if (first !== undefined && decoded.some((other) => !isSame(first, other))) {
      return failed("There are several answers that differ: exactly one is expected")
    }
    if (reason !== undefined) return failed(`The JSON cannot be read: ${reason}`)
    if (first === undefined) {
      const best = issues.find(([json]) => isJsonObject(json)) ?? issues[0]
      return best === undefined ? failed(wanted) : { _tag: "Issues", issues: best[1] }
    }
    if (issues.some(([json]) => isRival(json, first.candidate))) {
      return failed("There are several answers of which only one fits: exactly one is expected")
    }
    return { _tag: "Value", value: first.value, json: first.json }
  })
}

/** Reads the answer that these parts of a message are. */
export type Reader<A, R> = (parts: Parts) => Effect.Effect<Reading<A>, never, R>

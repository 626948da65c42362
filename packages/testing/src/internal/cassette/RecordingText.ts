import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { decodeStrictly } from "../StrictDecoding.ts"
import { format, Recording, version } from "./RecordingSchema.ts"

// What the file holds may be confidential, so that mistakes are told without the values.
const decode = decodeStrictly(Recording, { quoted: false })

const parse = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    // Without the parser's own words, which quote the text.
    catch: () => "Not JSON, as of a file that was cut or has marks of a merge in it"
  })

const isKnown = (value: unknown): Result.Result<unknown, string> => {
  if (!Predicate.hasProperty(value, "format") || value.format !== format) {
    return Result.fail(`format: Expected "${format}"`)
  }
  const told = Predicate.hasProperty(value, "version") ? value.version : undefined
  if (told === version) return Result.succeed(value)
  return Result.fail(
    typeof told === "number" && told > version
      ? `version: ${told} is newer than ${version}, which is what this release of @effect-claude/testing reads: `
        + "update it, or record again"
      : `version: Expected ${version}`
  )
}

/** Reads the text of a cassette; the failure has a line for each mistake. */
export const decodeText = (text: string): Result.Result<Recording, string> =>
  Result.flatMap(Result.flatMap(parse(text), isKnown), decode)

// A chunk is two numbers. No text of a JSON file has a line break in it, so that these are none of its values.
const pair = /\[\n\s+(\d+),\n\s+(\d+)\n\s+\]/g

/** The text of a cassette: one field a line, so that a changed answer is a changed line. */
export const encodeText = (recording: Recording): string =>
  `${JSON.stringify(recording, null, 2).replace(pair, "[$1, $2]")}\n`

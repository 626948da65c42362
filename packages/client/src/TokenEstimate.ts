/**
 * How many input tokens a request will have, guessed from its characters: without a tokenizer, without a call.
 *
 * **Details**
 *
 * The guess lies a little above the count of the API for ordinary text. What cannot be seen from here (the pages of a PDF,
 * a file that is only named) gets the size of a common one.
 *
 * **Example** (Guessing before asking)
 *
 * ```ts
 * import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
 * import { assert } from "@effect/vitest"
 *
 * const tokens = TokenEstimate.ofRequest({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user", content: "How many planets does the solar system have?" }]
 * })
 * assert.isAbove(tokens, 10)
 * assert.isBelow(tokens, 40)
 * ```
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

/** English prose has about four characters a token, code and JSON about three. */
const charactersPerToken = 3.3
/** Beyond ASCII a character is a token or more: scripts that are written without spaces, emoji, accents in part. */
const tokensPerWideCharacter = 1.1
/** The longest edge of an image is scaled to 1,568 pixels; none costs more than about 1,600 tokens. */
const tokensPerImage = 1600
/** A page of a PDF is read as text and as an image: up to 3,000 tokens. Scans and print alike take about 75 kB. */
const tokensPerPage = 3000
const base64PerPage = 100_000
const tokensPerMessage = 4
/** What the API adds to the prompt of a request that has tools. */
const tokensForTools = 350
const mostSamples = 2000

/**
 * The tokens of a text. A text of more than 2,000 characters is judged by as many of them, evenly spread.
 *
 * **Example** (Comparing scripts)
 *
 * ```ts
 * import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(TokenEstimate.ofText(""), 0)
 * assert.isAbove(TokenEstimate.ofText("太陽系には惑星がいくつありますか"), TokenEstimate.ofText("How many planets?"))
 * ```
 *
 * @category estimating
 * @since 0.1.0
 */
export const ofText = (text: string): number => {
  const step = Math.max(1, Math.ceil(text.length / mostSamples))
  let samples = 0
  let wide = 0
  for (let index = 0; index < text.length; index += step) {
    samples += 1
    if (text.charCodeAt(index) > 127) wide += 1
  }
  const share = samples === 0 ? 0 : wide / samples
  return Math.ceil(text.length * (share * tokensPerWideCharacter + (1 - share) / charactersPerToken))
}

/**
 * The tokens of a text of which only the length is known: how many characters are ASCII, and how many are not.
 *
 * **Example** (Guessing from a length)
 *
 * ```ts
 * import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(TokenEstimate.ofLetters(33, 10), TokenEstimate.ofText("a".repeat(33) + "太".repeat(10)))
 * ```
 *
 * @category estimating
 * @since 0.1.0
 */
export const ofLetters = (ascii: number, wide: number): number =>
  Math.ceil(wide * tokensPerWideCharacter + ascii / charactersPerToken)

const ofImage = (source: unknown): number =>
  // One that is inline and small in bytes is small in pixels as well.
  isRecord(source) && typeof source["data"] === "string"
    ? Math.min(tokensPerImage, Math.max(50, Math.ceil(source["data"].length / 20)))
    : tokensPerImage

const ofDocument = (source: unknown): number => {
  if (!isRecord(source)) return tokensPerPage
  const { content, data } = source
  if (source["type"] === "text" && typeof data === "string") return ofText(data)
  if (content !== undefined) return ofContent(content)
  return typeof data === "string" ? Math.ceil(data.length / base64PerPage) * tokensPerPage : tokensPerPage
}

const isRecord = (value: unknown): value is Record<string, unknown> => Predicate.isObject(value)

/** Anything that stands in a request, by what it is, or by the size of its JSON if that is unknown here. */
const ofContent = (content: unknown): number => {
  if (typeof content === "string") return ofText(content)
  if (Array.isArray(content)) {
    let tokens = 0
    for (const block of content) tokens += ofContent(block)
    return tokens
  }
  if (typeof content === "number" || typeof content === "boolean") return 1
  if (!isRecord(content)) return 0
  if (content["type"] === "image") return ofImage(content["source"])
  if (content["type"] === "document") return ofDocument(content["source"]) + ofContent(content["title"])
  let tokens = 1
  for (const [name, value] of Object.entries(content)) {
    // Neither is read by the model.
    if (name === "cache_control" || name === "signature") continue
    tokens += name === "type" || name === "text" ? 0 : ofText(name)
    if (name !== "type") tokens += ofContent(value)
  }
  return tokens
}

/**
 * The input tokens of a request: its system prompt, messages and tools.
 *
 * **Gotchas**
 *
 * Counts what may be read from the prompt cache like everything else: whether it will be is not known before the answer.
 *
 * **Example** (Seeing what tools cost)
 *
 * ```ts
 * import * as TokenEstimate from "@effect-claude/client/TokenEstimate"
 * import { assert } from "@effect/vitest"
 *
 * const request = { messages: [{ role: "user" as const, content: "What is the time?" }] }
 * const tools = [{ name: "clock", description: "The time of day", input_schema: { type: "object" as const } }]
 * assert.isAbove(TokenEstimate.ofRequest({ ...request, tools }), TokenEstimate.ofRequest(request))
 * ```
 *
 * @category estimating
 * @since 0.1.0
 */
export const ofRequest = (request: {
  readonly messages: ReadonlyArray<unknown>
  readonly system?: unknown
  readonly tools?: unknown
  readonly model?: unknown
  readonly max_tokens?: unknown
}): number => {
  const { messages, system, tools } = request
  const hasTools = Array.isArray(tools) && tools.length > 0
  let tokens = ofContent(system) + (hasTools ? ofContent(tools) + tokensForTools : 0)
  for (const message of messages) {
    tokens += tokensPerMessage + (isRecord(message) ? ofContent(message["content"]) : 0)
  }
  return tokens
}

/**
 * Answers as values: a Schema goes in, a decoded value comes out.
 *
 * **Details**
 *
 * {@link make} asks the model for JSON of the form of a Schema, in the way that the model takes best, finds the JSON in what it
 * writes, and decodes it. An answer that does not fit is sent back with the exact issues, a bounded number of times. What
 * then still does not fit is an `OutputInvalidError` with the issues, the text and the usage of all turns.
 *
 * An answer that was refused or cut off is never parsed. Nothing is guessed either: of an answer with two readings none is
 * taken.
 *
 * **Example** (Extracting a person from a sentence)
 *
 * ```ts
 * import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Person = StructuredOutput.make(Schema.Struct({
 *   name: Schema.String,
 *   age: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 150 }))
 * }))
 *
 * const program = Person.ask({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 1024,
 *   messages: [{ role: "user", content: "Ada Lovelace died at the age of 36." }]
 * })
 *
 * // The first answer does not fit; the second one, which was told so, does.
 * const Claude = ClaudeTest.script([
 *   Reply.text(`{"name":"Ada Lovelace","age":"36"}`),
 *   Reply.text(`{"name":"Ada Lovelace","age":36}`)
 * ])
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, Claude)), { name: "Ada Lovelace", age: 36 })
 * ```
 *
 * @since 0.1.0
 */
import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { AnswerError, ClaudeError } from "./ClaudeError.ts"
import type { CallOptions, ClaudeService, MessageRequest } from "./ClaudeService.ts"
import { isJsonObject } from "./internal/structured/jsonValue.ts"
import { labelKey, makeLabelFinder } from "./internal/structured/labels.ts"
import { jsonOf, makeReader, type Parts, type Reader, type Reading } from "./internal/structured/readAnswer.ts"
import { ask, chooseStrategy } from "./internal/structured/strategy.ts"
import * as Turns from "./internal/structured/turns.ts"
import { propertyNames, type WireSchema, wireSchema } from "./internal/structured/wireSchema.ts"
import * as ModelCapabilities from "./ModelCapabilities.ts"
import type { TokenUsage } from "./TokenUsage.ts"

/**
 * How the model is told what to answer.
 *
 * **Details**
 *
 * - `native`: structured outputs of the API (`output_config.format`). What the model writes is JSON of this form by
 *   construction, as far as the API can say it: no recursion, no arbitrary keys, no tuples.
 * - `tool`: a tool whose input has this form. The model is made to call it where that is known to be possible, thinking is not
 *   on and the request has no tools of its own, and told to where not. Takes any schema.
 * - `json`: the schema and an instruction at the end of `system`. For models and gateways without tools.
 * - `auto`: `native` where the model is known to have it and the schema fits in, else `tool`, else `json`.
 *
 * @category models
 * @since 0.1.0
 */
export type Strategy = "native" | "tool" | "json" | "auto"

/**
 * Options of {@link make} and {@link oneOf}.
 *
 * **Details**
 *
 * - `strategy`: see {@link Strategy} [`auto`]
 * - `repairs`: how many times the model is asked again after an answer that does not fit, 0 or more [2]
 * - `tool`: the name of the tool that takes the answer; letters, digits, `_` and `-`, at most 64 [`answer`]
 * - `capabilities`: what is known of a model beyond `ModelCapabilities.of`, which it overrides. Of it `structuredOutputs`,
 *   `forcedTools` and `tools` count here.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly strategy?: Strategy | undefined
  readonly repairs?: number | undefined
  readonly tool?: string | undefined
  readonly capabilities?: ((model: string) => ModelCapabilities.ModelCapabilities) | undefined
}

/**
 * A value, and what it took.
 *
 * **Details**
 *
 * - `message`: the answer that it was decoded from
 * - `usage`: what all turns took together; `turns`: how many there were, 1 without a repair
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<out A> {
  readonly value: A
  readonly message: Message
  readonly usage: TokenUsage
  readonly turns: number
}

/**
 * The value as far as it is written: JSON that is not decoded yet.
 *
 * **Details**
 *
 * From one to the next it only grows: objects gain keys, arrays gain items, strings gain characters. A number, `true`,
 * `false` or `null` is there once it is whole.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartialValue {
  readonly _tag: "Partial"
  readonly value: Schema.Json
}

/**
 * What was shown is void, and what follows begins anew: the answer did not fit (`issues` says why) and the model was asked
 * again, or the stream was lost and began again (no issues).
 *
 * @category models
 * @since 0.1.0
 */
export interface Restart {
  readonly _tag: "Restart"
  readonly issues: ReadonlyArray<string>
}

/**
 * The value, decoded: the last element of a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Value<out A> extends Answer<A> {
  readonly _tag: "Value"
}

/**
 * What a stream of a value emits.
 *
 * @category models
 * @since 0.1.0
 */
export type Progress<A> = PartialValue | Restart | Value<A>

/**
 * Asks for values of one form. `R` is what its Schema needs for decoding.
 *
 * **Details**
 *
 * - `ask`: the value. A turn that the API pauses is continued, as `ClaudeAnswer.ask` does.
 * - `answer`: the value with its message, the usage of all turns and their number.
 * - `stream`: the value while it is written, and at last the decoded one.
 * - `request`: the request as the first turn sends it, for a batch or a tool loop.
 * - `decode`: the value in a message that came some other way, such as from a batch.
 *
 * All fail with a `RefusalError` or an `OutputTruncatedError` for an answer that is no whole one, and with an
 * `OutputInvalidError` for one that does not fit in the last turn. The policies around the `ClaudeService` hold for each turn.
 *
 * **Gotchas**
 *
 * - An answer that calls a tool of the request's own is an `OutputInvalidError` at once: somebody has to run it first.
 * - A request must not begin the answer itself (a prefill): structured outputs answer that with a 400, and what comes is half a JSON.
 * - A request with a tool named like {@link Options} `tool` needs another name there: the API takes no two of one name.
 * - A key that stands twice in the input of a tool is seen in a stream only; elsewhere the SDK has taken the last one.
 * - What the code of a Schema throws is a defect, as anywhere in Effect.
 * - The way of asking is chosen by the model of the request. A fallback to a model without structured outputs needs
 *   `strategy: "tool"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface StructuredOutput<out A, out R = never> {
  readonly ask: (request: MessageRequest, options?: CallOptions) => Effect.Effect<A, ClaudeError, ClaudeService | R>
  readonly answer: (
    request: MessageRequest,
    options?: CallOptions
  ) => Effect.Effect<Answer<A>, ClaudeError, ClaudeService | R>
  readonly stream: (
    request: MessageRequest,
    options?: CallOptions
  ) => Stream.Stream<Progress<A>, ClaudeError, ClaudeService | R>
  readonly request: (request: MessageRequest) => MessageRequest
  readonly decode: (message: Message) => Effect.Effect<A, AnswerError, R>
}

const toolName = /^[\w-]{1,64}$/
const strategies: ReadonlyArray<unknown> = ["auto", "native", "tool", "json"]

const sentForm = (owner: string, schema: Schema.Constraint): WireSchema => {
  try {
    return wireSchema(schema)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RangeError(`${owner}: the schema cannot be written as JSON Schema: ${reason}`, { cause: error })
  }
}

const assemble = <A, R>(
  owner: string,
  wire: WireSchema,
  read: Reader<A, R>,
  { capabilities, repairs = 2, strategy = "auto", tool = "answer" }: Options
): StructuredOutput<A, R> => {
  if (!strategies.includes(strategy)) {
    throw OptionCheck.refuse(owner, "strategy", "auto, native, tool or json", strategy)
  }
  if (!toolName.test(tool)) throw OptionCheck.refuse(owner, "tool", "1 to 64 letters, digits, _ or -", tool)
  OptionCheck.number(owner, "repairs", repairs, 0)
  if (!Number.isInteger(repairs)) throw OptionCheck.refuse(owner, "repairs", "a whole number", repairs)
  if (strategy === "native" && wire.unsupported !== undefined) {
    const { path, reason } = wire.unsupported
    throw new RangeError(
      `${owner}: option "strategy" must not be native for this schema: structured outputs have no form for ${reason}, at ${path}`
    )
  }
  const names = propertyNames(wire)
  const asking: Turns.Asking<A, R> = {
    plan: (model) => {
      const known = { ...ModelCapabilities.of(model), ...capabilities?.(model) }
      return { strategy: chooseStrategy(strategy, known, wire), capabilities: known, wire, tool }
    },
    read,
    tool,
    repairs,
    isKnownName: (name) => names.has(name)
  }
  return {
    ask: (request, options) => Effect.map(Turns.answer(asking, request, options), ({ value }) => value),
    answer: (request, options) => Turns.answer(asking, request, options),
    stream: (request, options) => Turns.stream(asking, request, options),
    request: (request) => ask(request, asking.plan(request.model)),
    decode: (message) => Turns.readMessage(asking, message)
  }
}

/**
 * Asks for values of the form of a Schema.
 *
 * **Details**
 *
 * The model writes the encoded side of the Schema, in its JSON form (`Schema.toCodecJson`): an ISO string for a
 * `Schema.Date`. What JSON Schema or the API cannot say (a refinement, a brand, a transformation, a limit) is said in
 * descriptions where possible and checked by decoding. A Schema whose root is no object is put into one on the way and taken
 * out again.
 *
 * Taken as they are meant: a code fence, text around the JSON, comments, a comma too much, a line break within a string, a
 * byte-order mark, JSON that is escaped in a string, and letters of an `enum` in another case if only one member is meant.
 * Not taken, and so repaired: single quotes, keys without quotes, NaN, two answers that differ, a key with two values, a
 * number beyond what JavaScript can hold, anything cut off, more than 200 levels.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for an option that is out of range, for a schema that has no JSON Schema, and with `strategy: "native"`
 * for one that structured outputs have no form for, which names its place.
 *
 * **Example** (Seeing why an answer was not taken)
 *
 * ```ts
 * import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Order = StructuredOutput.make(
 *   Schema.Struct({ product: Schema.NonEmptyString, amount: Schema.Int }),
 *   { repairs: 0 }
 * )
 * const program = Order.ask({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 1024,
 *   messages: [{ role: "user", content: "Two pounds of apples, please" }]
 * })
 *
 * const Claude = ClaudeTest.script([Reply.text(`Here it is: {"product":"apples","amount":"two pounds"}`)])
 * const error = await Effect.runPromise(program.pipe(Effect.flip, Effect.provide(Claude)))
 * assert.strictEqual(error._tag, "OutputInvalidError")
 * assert.deepStrictEqual(error._tag === "OutputInvalidError" && error.issues, [`Expected number at ["amount"]`])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <S extends Schema.ConstraintDecoder<unknown, unknown>>(
  schema: S,
  options: Options = {}
): StructuredOutput<S["Type"], S["DecodingServices"]> => {
  const owner = "StructuredOutput.make"
  const wire = sentForm(owner, schema)
  const codec: Schema.ConstraintDecoder<S["Type"], S["DecodingServices"]> = Schema.toCodecJson(schema)
  const read = makeReader(codec, wire)
  return assemble(owner, wire, (parts) => read(jsonOf(parts)), options)
}

const checkLabels = (owner: string, labels: ReadonlyArray<string>): void => {
  if (labels.length === 0) throw OptionCheck.refuse(owner, "labels", "at least one label", labels)
  const seen = new Map<string, string>()
  for (const label of labels) {
    const key = labelKey(label)
    if (key === "") throw OptionCheck.refuse(owner, "labels", "labels with a letter or a digit", label)
    const other = seen.get(key)
    if (other !== undefined) {
      throw OptionCheck.refuse(owner, "labels", "labels that differ in more than case and punctuation", [other, label])
    }
    seen.set(key, label)
  }
}

/**
 * Asks for one label of a fixed list.
 *
 * **Details**
 *
 * Beside JSON the plain label is taken, whatever its case and the quotes and punctuation around it, and a short sentence that
 * consists of one label and words like "the label is". Of labels that contain one another the longest is meant. Anything
 * else ("not billing", two labels) is repaired as with {@link make}.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for an empty list, and for labels that differ in nothing but case, white space and punctuation.
 *
 * **Example** (Sorting mail)
 *
 * ```ts
 * import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Topic = StructuredOutput.oneOf(["billing", "technical", "other"])
 *
 * const topic: Effect.Effect<"billing" | "technical" | "other", unknown> = Topic.ask({
 *   model: "claude-haiku-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user", content: "I was charged twice" }]
 * }).pipe(Effect.provide(ClaudeTest.script([Reply.text("The label is **Billing**.")])))
 *
 * assert.strictEqual(await Effect.runPromise(topic), "billing")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const oneOf = <const Labels extends ReadonlyArray<string>>(
  labels: Labels,
  options: Options = {}
): StructuredOutput<Labels[number]> => {
  const owner = "StructuredOutput.oneOf"
  checkLabels(owner, labels)
  const schema = Schema.Literals(labels)
  const wire = sentForm(owner, schema)
  const readJson = makeReader(schema, wire)
  const find = makeLabelFinder(labels)

  /** The one text that may be a label: that in the JSON if there is any, else the whole answer. */
  const textOf = (parts: Parts): string | undefined => {
    const { broken, candidates } = jsonOf(parts)
    const [first, ...others] = candidates
    if (broken.length > 0 || others.length > 0) return undefined
    if (first === undefined) return parts.text
    const { json } = first
    if (typeof json === "string") return json
    // A label that looks like a number, or like another word of JSON.
    if (typeof json !== "object" || json === null) return parts.text
    if (!isJsonObject(json) || wire.wrapper === undefined || Object.keys(json).length !== 1) return undefined
    const value = json[wire.wrapper]
    return typeof value === "string" ? value : undefined
  }

  return assemble<Labels[number], never>(
    owner,
    wire,
    (parts) =>
      Effect.map(readJson(jsonOf(parts)), (reading): Reading<Labels[number]> => {
        if (reading._tag === "Value") return reading
        const text = textOf(parts)
        const label = text === undefined ? undefined : find(text)
        return label === undefined ? reading : { _tag: "Value", value: label, json: label }
      }),
    options
  )
}

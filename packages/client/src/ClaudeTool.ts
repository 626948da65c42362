/**
 * A tool for Claude: described by Schemas, run as an Effect.
 *
 * **Example** (Letting Claude look something up)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const weather = ClaudeTool.make("get_weather", {
 *   description: "Tells the current temperature of a city in degrees Celsius",
 *   input: Schema.Struct({ city: Schema.String.annotate({ description: "The city, such as Oslo" }) }),
 *   output: Schema.Struct({ degrees: Schema.Number }),
 *   run: ({ city }) => Effect.succeed({ degrees: city === "Oslo" ? 4 : 20 })
 * })
 *
 * const Claude = ClaudeTest.script([Reply.tool("get_weather", { city: "Oslo" }), Reply.text("4 degrees.")])
 * const program = ToolLoop.run({
 *   request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: "How cold is Oslo?" }] },
 *   tools: [weather]
 * })
 *
 * const { steps } = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(steps, 2)
 * ```
 *
 * @since 0.1.0
 */
import type { Tool, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { messageOf } from "./internal/foreignError.ts"
import { redact } from "./internal/redact.ts"
import { inputSchemaOf } from "./internal/tools/inputSchema.ts"

/**
 * What a tool without an `output` Schema gives the model: a text, blocks of content (images, documents), or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Content = NonNullable<ToolResultBlockParam["content"]> | void

/**
 * What a tool is told beside its input.
 *
 * **Details**
 *
 * - `idempotencyKey`: the same for the same call of the same run, also when the step is repeated or the run goes on in another
 *   process; another one for every other call. 64 hexadecimal digits, to be handed to what the tool calls.
 * - `toolUseId`: the id that the model gave the call. A repeated step has another one.
 * - `runId`: the run it belongs to.
 * - `step`: the step of the run, from 1.
 * - `attempt`: how often this call has begun, this time included. More than 1 after a crash, or after a failure that had
 *   stopped the run.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolContext {
  readonly idempotencyKey: string
  readonly toolUseId: string
  readonly runId: string
  readonly step: number
  readonly attempt: number
}

/**
 * The fields of the API's definition of a tool that are passed on as they are: `strict`, `cache_control`, `input_examples`
 * and the like.
 *
 * @category models
 * @since 0.1.0
 */
export type ApiFields = Omit<Tool, "name" | "description" | "input_schema" | "type">

type OutputOf<Output> = Output extends Schema.Constraint ? Output["Type"] : Content

type EncodingServicesOf<Output> = Output extends Schema.Constraint ? Output["EncodingServices"] : never

/**
 * What a tool is made of.
 *
 * **Details**
 *
 * - `description`: what the model is told of it. The better it says what the tool does and when it is of use, the better it
 *   is called.
 * - `input`: the Schema of its input. The model is shown the JSON that it decodes, and `run` gets what it decodes to. What
 *   does not decode, and what has fields that the Schema does not name, goes back to the model with the issues and never
 *   reaches `run`. Its JSON must be an object.
 * - `output`: the Schema of what `run` gives, which the model gets as JSON. Without one `run` gives {@link Content}.
 * - `run`: runs it. A failure goes back to the model as an error result. So does a defect, but of that the model is
 *   told only that it happened.
 * - `describeFailure`: what the model is told of a failure; its `message`, or the failure itself if that is a text, cut at
 *   1,000 characters, without what looks like a secret.
 * - `haltOn`: which failures stop the loop instead, with a `ToolLoopError` that has them; none. When the run goes on later,
 *   the tool is run again, with the same key.
 * - `idempotent`: whether a call that began, and of which nobody knows how it ended, may simply be run again, with the same
 *   key; `false`. True for a tool that only reads, and for one that hands its key to a service that heeds it.
 * - `recover`: finds out how such a call ended. `Some` is its result, `None` says that it had no effect and may be run. Asked
 *   first; if it fails, nobody knows still.
 * - `api`: see {@link ApiFields}.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<
  Input extends Schema.Constraint,
  Output extends Schema.Constraint | undefined,
  E,
  R,
  E2,
  R2
> {
  readonly description: string
  readonly input: Input
  readonly output?: Output
  readonly run: (input: Input["Type"], context: ToolContext) => Effect.Effect<OutputOf<NoInfer<Output>>, E, R>
  readonly describeFailure?: ((error: NoInfer<E>) => string) | undefined
  readonly idempotent?: boolean | undefined
  readonly recover?:
    | ((
      input: Input["Type"],
      context: ToolContext
    ) => Effect.Effect<Option.Option<OutputOf<NoInfer<Output>>>, E2, R2>)
    | undefined
  readonly api?: ApiFields | undefined
}

/**
 * What the loop does with a call whose input has been read.
 *
 * @category models
 * @since 0.1.0
 */
export interface PreparedCall<out E, out R> {
  readonly run: (context: ToolContext) => Effect.Effect<Exclude<Content, void>, E, R>
  readonly recover:
    | ((context: ToolContext) => Effect.Effect<Exit.Exit<Option.Option<Exclude<Content, void>>, unknown>, never, R>)
    | undefined
}

/**
 * A tool. `E` are the failures that stop the loop, `R` is what it needs.
 *
 * **Details**
 *
 * - `name` and `definition`: what the model is told.
 * - `idempotent`: as in {@link Options}.
 * - `prepare`: reads the input of a call. Fails with the issues, a text for the model.
 * - `judge`: what to do about a failure: what the model is told of it, or `undefined` if it stops the loop.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeTool<out E = never, out R = never> {
  readonly name: string
  readonly definition: Tool
  readonly idempotent: boolean
  readonly prepare: (input: unknown) => Effect.Effect<PreparedCall<E, R>, string, R>
  readonly judge: (error: unknown) => string | undefined
}

const owner = "ClaudeTool.make"

// What the API takes as a name.
const namePattern = /^[a-zA-Z0-9_-]{1,128}$/

const issuesOf = SchemaIssue.makeFormatterDefault()

const notParsed = "It is not valid JSON, or nests too deeply."

/**
 * Makes a tool.
 *
 * **Details**
 *
 * Throws a `RangeError` for a name that the API does not take (letters, digits, `_` and `-`, at most 128), and for an `input`
 * whose JSON is not an object (a union at the top: wrap it in a struct).
 *
 * **Gotchas**
 *
 * `describeFailure` decides what leaves for the API. A failure whose `message` may hold what the model must not see needs one.
 *
 * **Example** (Stopping when the failure is ours)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as Data from "effect/Data"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class CardDeclined extends Data.TaggedError("CardDeclined")<{ readonly message: string }> {}
 * class ProviderDown extends Data.TaggedError("ProviderDown")<{ readonly message: string }> {}
 *
 * const charge = (cents: number, _key: string): Effect.Effect<string, CardDeclined | ProviderDown> =>
 *   cents < 10_000 ? Effect.succeed("charged") : Effect.fail(new CardDeclined({ message: "Over the limit of the card" }))
 *
 * // The model learns of a card that was declined; an outage of the provider is none of its business.
 * const tool: ClaudeTool.ClaudeTool<ProviderDown> = ClaudeTool.make("charge_card", {
 *   description: "Charges the customer's card, in cents",
 *   input: Schema.Struct({ cents: Schema.Int }),
 *   run: ({ cents }, { idempotencyKey }) => charge(cents, idempotencyKey),
 *   idempotent: true,
 *   haltOn: (error) => error._tag === "ProviderDown"
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <
    Input extends Schema.Constraint,
    E,
    R,
    Output extends Schema.Constraint | undefined = undefined,
    H extends E = never,
    E2 = never,
    R2 = never
  >(
    name: string,
    options: Options<Input, Output, E, R, E2, R2> & {
      readonly haltOn?: ((error: E) => error is H) | undefined
    }
  ): ClaudeTool<H, R | R2 | Input["DecodingServices"] | EncodingServicesOf<Output>>
  <
    Input extends Schema.Constraint,
    E,
    R,
    Output extends Schema.Constraint | undefined = undefined,
    E2 = never,
    R2 = never
  >(
    name: string,
    options: Options<Input, Output, E, R, E2, R2> & { readonly haltOn: (error: E) => boolean }
  ): ClaudeTool<E, R | R2 | Input["DecodingServices"] | EncodingServicesOf<Output>>
} = <Input extends Schema.Constraint, Output extends Schema.Constraint | undefined, E, R, E2, R2>(
  name: string,
  options: Options<Input, Output, E, R, E2, R2> & { readonly haltOn?: ((error: E) => boolean) | undefined }
): ClaudeTool<E, R | R2 | Input["DecodingServices"] | EncodingServicesOf<Output>> => {
  if (!namePattern.test(name)) {
    throw OptionCheck.refuse(owner, "name", "1 to 128 letters, digits, _ or -", name)
  }
  const input_schema = inputSchemaOf(options.input)
  if (input_schema === undefined) {
    throw new RangeError(`${owner}: option "input" of ${name} must be a Schema whose JSON is an object`)
  }
  type Services = R | R2 | Input["DecodingServices"] | EncodingServicesOf<Output>

  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(options.input), {
    errors: "all",
    onExcessProperty: "error"
  })
  const encode = encoderOf(options.output)

  return {
    name,
    definition: { ...options.api, name, description: options.description, input_schema },
    idempotent: options.idempotent ?? false,
    prepare: (input): Effect.Effect<PreparedCall<E, Services>, string, Services> =>
      // An input that stays a text is JSON that broke off, or never was.
      typeof input === "string" ? Effect.fail(notParsed) : Effect.mapBoth(decode(input), {
        onFailure: ({ issue }) => issuesOf(issue),
        onSuccess: (input): PreparedCall<E, Services> => {
          const { recover } = options
          return {
            run: (context) => Effect.flatMap(options.run(input, context), encode),
            recover: recover === undefined ? undefined : (context) =>
              Effect.exit(Effect.flatMap(
                recover(input, context),
                Option.match({
                  onNone: () => Effect.succeedNone,
                  onSome: (output) => Effect.map(encode(output), Option.some)
                })
              ))
          }
        }
      }),
    // The loop hands in nothing but what `run` has failed with.
    judge: (error) => {
      const failure = error as E
      if (options.haltOn?.(failure) === true) return undefined
      const message = typeof failure === "string" ? failure : messageOf(failure)
      return options.describeFailure?.(failure) ?? redact(message, {})
    }
  }
}

type Encode<Output> = (
  value: OutputOf<Output>
) => Effect.Effect<Exclude<Content, void>, never, EncodingServicesOf<Output>>

/** How the model gets what a tool gives. An output that is not of its Schema is a mistake of the tool, and a defect. */
const encoderOf = <Output extends Schema.Constraint | undefined>(output: Output): Encode<Output> => {
  if (output === undefined) return (content) => Effect.succeed((content ?? "") as Exclude<Content, void>)
  const encode = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.toCodecJson(output)))
  return ((value: unknown) => Effect.orDie(encode(value))) as Encode<Output>
}

/**
 * Answers that are no success although they arrived with status 200: cut off, refused, paused, empty.
 *
 * **Details**
 *
 * The API and its SDK hand all of these out as messages. Here each is a typed error that keeps the message and its usage:
 *
 * | what the message says | error |
 * | --- | --- |
 * | `stop_reason: "refusal"` | `RefusalError`, with category, explanation and what makes asking another model cheaper |
 * | `"max_tokens"`, `"model_context_window_exceeded"` | `OutputTruncatedError`, with that `stopReason` |
 * | `"pause_turn"` | `OutputTruncatedError`; {@link ask}, {@link stream} and `ClaudeLayer.withCompleteAnswers` go on first |
 * | no stop reason | `OutputTruncatedError`, without `stopReason` |
 * | the call of a tool with broken input, or cut off behind it | `OutputInvalidError`, with `issues` |
 * | `"end_turn"` or `"tool_use"`, and nothing but blank text and thinking | `OutputInvalidError`, with `issues` |
 * | any other stop reason, those of tomorrow included | none |
 *
 * All of them stop: the same request would end the same way, and was paid for. `docs/answers.md` says what helps instead.
 *
 * **Example** (Not taking half an answer for a whole one)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 3,
 *     messages: [{ role: "user", content: "Tell me a story" }]
 *   }).pipe(ClaudeAnswer.requireComplete())
 * }).pipe(
 *   Effect.catchTag("OutputTruncatedError", (error) => Effect.succeed(`cut: ${error.partial?.text}`))
 * )
 *
 * const Claude = ClaudeTest.script([Reply.text("Once upon a", { stop_reason: "max_tokens" })])
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, Claude)), "cut: Once upon a")
 * ```
 *
 * @since 0.1.0
 */
import type { Message, MessageParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import type { AnswerError, ClaudeError, OutputInvalidError, OutputTruncatedError, RefusalError } from "./ClaudeError.ts"
import { type CallOptions, ClaudeService, type MessageRequest } from "./ClaudeService.ts"
import { sendableContent } from "./internal/answer/assistantTurn.ts"
import { contentOf } from "./internal/answer/blocks.ts"
import { createWhole, streamWhole } from "./internal/answer/completeService.ts"
import * as refusalCall from "./internal/answer/refusalCall.ts"
import { acceptsOf, settingsOf } from "./internal/answer/settings.ts"
import { type Shortfall, shortfallError, shortfallOf } from "./internal/answer/shortfall.ts"
import type { MessageEvent } from "./MessageEvents.ts"

export type { Call, ServerFallbacks } from "./internal/answer/refusalCall.ts"
export type { Shortfall } from "./internal/answer/shortfall.ts"

/**
 * What is let through although it is not whole: nothing by default.
 *
 * **Gotchas**
 *
 * A text that was cut may be of use, half a call of a tool never is. Accepting `max_tokens` therefore lets no answer through that
 * ends with the call of a tool; that takes `tool_input` as well.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckOptions<out Accepted extends ReadonlyArray<Shortfall> = ReadonlyArray<Shortfall>> {
  readonly accept?: Accepted | undefined
}

type Truncation = "max_tokens" | "model_context_window_exceeded" | "pause_turn" | "unfinished"

type ErrorFor<Accepted extends Shortfall> =
  | ("refusal" extends Accepted ? never : RefusalError)
  | ([Exclude<Truncation, Accepted>] extends [never] ? never : OutputTruncatedError)
  | ([Exclude<"tool_input" | "empty", Accepted>] extends [never] ? never : OutputInvalidError)

/**
 * The errors that are left when these are accepted. Of a list whose length the type does not know, all.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type ErrorOf<Accepted extends ReadonlyArray<Shortfall>> = number extends Accepted["length"] ? AnswerError
  : ErrorFor<Accepted[number]>

const wrong = (message: Message, accepts: (shortfall: Shortfall) => boolean): AnswerError | undefined => {
  const shortfall = shortfallOf(message, accepts)
  return shortfall === undefined ? undefined : shortfallError(message, shortfall)
}

/**
 * The error that a message amounts to, or `undefined` for one that is whole.
 *
 * **When to use**
 *
 * Use for messages that are there already: from a batch, from a store, put together from events.
 *
 * **Example** (Sorting the results of a batch)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const refused = Reply.message("", {
 *   stop_reason: "refusal",
 *   stop_details: { type: "refusal", category: "cyber", explanation: "This could enable cyber harm." }
 * })
 *
 * const error = ClaudeAnswer.check(refused)
 * assert.strictEqual(error?._tag === "RefusalError" ? error.category : "", "cyber")
 * assert.isUndefined(ClaudeAnswer.check(Reply.message("Hello!")))
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const check = <const Accepted extends ReadonlyArray<Shortfall> = readonly []>(
  message: Message,
  options?: CheckOptions<Accepted>
): ErrorOf<Accepted> | undefined =>
  // What is accepted by the type is accepted by the check.
  wrong(message, acceptsOf("ClaudeAnswer.check", options?.accept)) as ErrorOf<Accepted> | undefined

/**
 * Fails with the error that the message amounts to, if it is not whole.
 *
 * **Details**
 *
 * Sends nothing: a turn that was paused is an error here. {@link ask} continues it. What is accepted leaves the type.
 *
 * **Example** (Accepting a text that was cut)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const cut = Effect.succeed(Reply.message("Once upon a", { stop_reason: "max_tokens" }))
 *
 * const message = await Effect.runPromise(ClaudeAnswer.requireComplete(cut, { accept: ["max_tokens"] }))
 * assert.strictEqual(message.stop_reason, "max_tokens")
 *
 * const error = await Effect.runPromise(Effect.flip(ClaudeAnswer.requireComplete(cut)))
 * assert.strictEqual(error._tag === "OutputTruncatedError" ? error.stopReason : "", "max_tokens")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const requireComplete: {
  <const Accepted extends ReadonlyArray<Shortfall> = readonly []>(
    options?: CheckOptions<Accepted>
  ): <E, R>(answer: Effect.Effect<Message, E, R>) => Effect.Effect<Message, E | ErrorOf<Accepted>, R>
  <E, R, const Accepted extends ReadonlyArray<Shortfall> = readonly []>(
    answer: Effect.Effect<Message, E, R>,
    options?: CheckOptions<Accepted>
  ): Effect.Effect<Message, E | ErrorOf<Accepted>, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <E, R>(answer: Effect.Effect<Message, E, R>, options?: CheckOptions): Effect.Effect<Message, E | AnswerError, R> => {
    const accepts = acceptsOf("ClaudeAnswer.requireComplete", options?.accept)
    return Effect.flatMap(answer, (message) => {
      const error = wrong(message, accepts)
      return error === undefined ? Effect.succeed(message) : Effect.fail(error)
    })
  }
)

/**
 * How to ask for a whole answer.
 *
 * **Details**
 *
 * - `accept`: what is let through although it is not whole; nothing.
 * - `continuations`: how many further requests a turn that the API pauses may take; 10. The API pauses a turn after ten rounds of
 *   its own tools; its documentation continues five times.
 * - `headers`: as in `CallOptions`.
 *
 * @category models
 * @since 0.1.0
 */
export interface AskOptions extends CallOptions, CheckOptions {
  readonly continuations?: number | undefined
}

/**
 * Asks for a message, continues it while the API pauses it, and fails if it is not whole.
 *
 * **Details**
 *
 * A turn that was paused goes back as {@link assistantTurn} has it, in the same container. The message that comes out has the content of all turns and the
 * sum of their usage; `AnswerInfo.of(message).turns` tells of each. If a later request fails, `partial` of the error holds
 * what the ones before it brought. A request that names a `thread` is not continued: the API keeps its turns.
 *
 * **Example** (Waiting for a long search)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = ClaudeAnswer.ask({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 1024,
 *   tools: [{ type: "web_search_20250305", name: "web_search" }],
 *   messages: [{ role: "user", content: "What is new?" }]
 * })
 *
 * const Claude = ClaudeTest.script([
 *   Reply.text("I am looking. ", { stop_reason: "pause_turn" }),
 *   Reply.text("Nothing is.")
 * ])
 * const message = await Effect.runPromise(Effect.provide(program, Claude))
 * assert.deepStrictEqual(message.content.map((block) => block.type === "text" ? block.text : ""), [
 *   "I am looking. ",
 *   "Nothing is."
 * ])
 * assert.strictEqual(AnswerInfo.of(message).turns?.length, 2)
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const ask = (
  request: MessageRequest,
  { accept, continuations, ...call }: AskOptions = {}
): Effect.Effect<Message, ClaudeError, ClaudeService> => {
  const settings = settingsOf("ClaudeAnswer.ask", { accept, continuations })
  return Effect.flatMap(ClaudeService, (claude) => createWhole(claude, settings, request, call))
}

/**
 * {@link ask} as a stream: one well-formed message, however many turns it took.
 *
 * **Details**
 *
 * There is one `message_start`, indexes go on from turn to turn, and the one `message_delta` has the sum of the usage. A stream
 * that is not whole fails in place of its `message_delta` and `message_stop`, after all of its content, so that nobody takes it for
 * whole; the error has the message with its stop reason and usage.
 *
 * **Example** (Showing a text and learning that it was cut)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import * as MessageEvents from "@effect-claude/client/MessageEvents"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * let shown = ""
 * const program = ClaudeAnswer.stream({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 3,
 *   messages: [{ role: "user", content: "Tell me a story" }]
 * }).pipe(
 *   MessageEvents.text,
 *   Stream.runForEach((text) => Effect.sync(() => { shown += text })),
 *   Effect.flip
 * )
 *
 * const Claude = ClaudeTest.script([Reply.text("Once upon a", { stop_reason: "max_tokens" })])
 * const error = await Effect.runPromise(Effect.provide(program, Claude))
 * assert.strictEqual(error._tag, "OutputTruncatedError")
 * assert.strictEqual(shown, "Once upon a")
 * ```
 *
 * @category requests
 * @since 0.1.0
 */
export const stream = (
  request: MessageRequest,
  { accept, continuations, ...call }: AskOptions = {}
): Stream.Stream<MessageEvent, ClaudeError, ClaudeService> => {
  const settings = settingsOf("ClaudeAnswer.stream", { accept, continuations })
  return Stream.unwrap(Effect.map(ClaudeService, (claude) => streamWhole(claude, settings, request, call)))
}

/**
 * An answer as the assistant's turn in the next request.
 *
 * **Details**
 *
 * Its content as it came, without blank text and thinking without a signature, which the API does not take. Of an answer that another model took over in the middle (`fallbacks`), what must not be sent back is
 * left out: thinking, calls of the program's tools and calls without a result from before the last `fallback` block.
 *
 * **Example** (Going on with a conversation)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 *
 * const turn = ClaudeAnswer.assistantTurn(Reply.message("Hello!"))
 * assert.deepStrictEqual(turn, { role: "assistant", content: [{ type: "text", text: "Hello!", citations: null }] })
 * ```
 *
 * @category conversions
 * @since 0.1.0
 */
export const assistantTurn = (message: Message): MessageParam => ({
  role: "assistant",
  content: sendableContent(contentOf(message))
})

/**
 * The call, with other models that the API itself asks when the one of the request refuses: within the same request, with the
 * cost of the prompt cache refunded.
 *
 * **Details**
 *
 * Adds `fallbacks` and the beta `server-side-fallback-2026-07-01` to the betas of the call. `"default"` leaves the choice to the API;
 * names have to differ from each other and from the model of the request, and be among those the API permits for it.
 * `AnswerInfo.of(message).source` names the model that answered. `ClaudeLayer.withServerFallbacks` does it for all calls.
 *
 * **Gotchas**
 *
 * - On Anthropic's own API only; not on other clouds, and not in batches.
 * - An overload or a rate limit is no refusal: those are for `ClaudeLayer.withFallback`.
 * - Betas that the client sends by itself (`defaultHeaders`) are replaced by those of the call.
 * - A model that has no classifiers answers to a list with a 400, and to `"default"` as ever. `ClaudeLayer.withFallback` and
 *   {@link redeem} leave a list behind where they ask another model.
 *
 * **Example** (Letting the API choose)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import { assert } from "@effect/vitest"
 *
 * const call = ClaudeAnswer.withServerFallbacks({
 *   request: {
 *     model: "claude-fable-5",
 *     max_tokens: 1024,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }
 * }, "default")
 *
 * // claude.createMessage(call.request, call.options)
 * assert.deepStrictEqual(call.options, { headers: { "anthropic-beta": "server-side-fallback-2026-07-01" } })
 * ```
 *
 * @category refusals
 * @since 0.1.0
 */
export const withServerFallbacks: {
  (fallbacks: refusalCall.ServerFallbacks): (call: refusalCall.Call) => refusalCall.Call
  (call: refusalCall.Call, fallbacks: refusalCall.ServerFallbacks): refusalCall.Call
} = dual(
  2,
  (call: refusalCall.Call, fallbacks: refusalCall.ServerFallbacks): refusalCall.Call =>
    refusalCall.withFallbacks(call, refusalCall.checkFallbacks("ClaudeAnswer.withServerFallbacks", fallbacks))
)

/**
 * The call, asking for a credit token if it is refused: `fallbackCreditToken` of the `RefusalError`, which makes asking another
 * model as cheap as if the conversation had been with that one all along.
 *
 * **Details**
 *
 * Adds the beta `fallback-credit-2026-07-01`. {@link redeem} and the `refusal` chain of `ClaudeLayer.withFallback` use the token.
 * `ClaudeLayer.withFallbackCredit` does it for all calls.
 *
 * **Example** (Asking for a token)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import { assert } from "@effect/vitest"
 *
 * const call = ClaudeAnswer.withFallbackCredit({
 *   request: { model: "claude-fable-5", max_tokens: 1024, messages: [{ role: "user", content: "Hello" }] },
 *   options: { headers: { "anthropic-beta": "context-1m-2025-08-07" } }
 * })
 *
 * assert.deepStrictEqual(call.options?.headers, {
 *   "anthropic-beta": "context-1m-2025-08-07,fallback-credit-2026-07-01"
 * })
 * ```
 *
 * @category refusals
 * @since 0.1.0
 */
export const withFallbackCredit = ({ options, request }: refusalCall.Call): refusalCall.Call => ({
  request,
  options: refusalCall.withBeta(options, refusalCall.creditBeta)
})

/**
 * How a refused request goes to another model.
 *
 * **Details**
 *
 * - `model`: the one to ask; the API permits some for each model that refuses (`claude-opus-4-8`).
 * - `prefill`: whether the other model goes on with what was written before the refusal, as `hasPrefillClaim` allows; by default
 *   if it does. Its answer is then the rest only.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedeemOptions {
  readonly model: string
  readonly prefill?: boolean | undefined
}

/**
 * The refused call for another model, with the credit token of the refusal.
 *
 * **Details**
 *
 * The token is valid for five minutes, for the same key's workspace, and for the same body: `max_tokens` and the like may change,
 * what shapes the prompt may not, and the betas must stay. With a prefill one assistant turn is added: what was written, without
 * calls that have no result and without white space at its end. `fallbacks` are left out, as the API takes no token beside them; so
 * is `thinking` of type `between_tools`, which few models take. A token that is not taken costs the credit and not the answer
 * (`mode: "best_effort"`); `usage.fallback_credit` of the answer tells.
 *
 * Without a token the same request for the other model, at its usual price, from the beginning; a list of `fallbacks`, which
 * is for the model that refused, is left out as well.
 *
 * **Gotchas**
 *
 * If the call with a prefill is answered with an `InvalidRequestError`, send it again with `prefill: false`.
 *
 * **Example** (Asking another model after a refusal)
 *
 * ```ts
 * import * as ClaudeAnswer from "@effect-claude/client/ClaudeAnswer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const asked = ClaudeAnswer.withFallbackCredit({
 *   request: { model: "claude-fable-5", max_tokens: 1024, messages: [{ role: "user", content: "Hello" }] }
 * })
 * const send = ({ options, request }: ClaudeAnswer.Call) => ClaudeAnswer.ask(request, options)
 *
 * const program = send(asked).pipe(
 *   Effect.catchTag("RefusalError", (refusal) =>
 *     send(ClaudeAnswer.redeem(asked, refusal, { model: "claude-opus-4-8" })))
 * )
 *
 * const Claude = ClaudeTest.script([Fault.refusal(), Reply.text("Hello!")])
 * const message = await Effect.runPromise(Effect.provide(program, Claude))
 * assert.strictEqual(message.model, "claude-opus-4-8")
 * ```
 *
 * @category refusals
 * @since 0.1.0
 */
export const redeem: {
  (refusal: RefusalError, options: RedeemOptions): (call: refusalCall.Call) => refusalCall.Call
  (call: refusalCall.Call, refusal: RefusalError, options: RedeemOptions): refusalCall.Call
} = dual(
  3,
  (call: refusalCall.Call, refusal: RefusalError, options: RedeemOptions): refusalCall.Call =>
    refusalCall.redemption(call, refusal, {
      model: options.model,
      prefill: options.prefill ?? refusal.hasPrefillClaim === true
    })
)

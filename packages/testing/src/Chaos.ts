/**
 * Trouble on purpose: a layer next to the client that injects faults, latency, changed answers and side effects with a
 * rate, a seed, a window in time and a switch. For tests, for staging, and for a game day in production.
 *
 * **Details**
 *
 * Put it next to the client, under all policies; around one of them it is refused, since that policy would never meet what
 * is injected. An injected failure is the same error that the client makes of the real one, so everything around takes it for
 * real. Operators can tell: by a `ChaosInjected` event of `ClaudeEvents`, the metric `claude.chaos.injections`, the attribute
 * `claude.chaos` of the attempt's span, a log line, and request ids that begin with `req_chaos_`.
 *
 * **It is off until somebody says that it is on, and nobody says that it is off.** Three can say so: `enabled` of
 * {@link withChaos}, the {@link Switch}, and {@link withEnabled} for a part of the program. While it is off a call goes
 * straight to the client; nothing of its request is looked at.
 *
 * **The same seed and the same calls give the same injections.** What happens to a call is drawn from the seed, the name of
 * the injection, the method, the whole request, and how often that request has come since the layer was built, calls that came
 * while chaos was off left out. So it depends neither on the order in which different calls come nor on how many run at once:
 * of equal requests it is always, say, the third that is hit, whoever sends it. It does depend on the clock where an injection
 * has a window, and of more than 10,000 different requests those that were not used for longest begin again at the first.
 *
 * While chaos is on each request is read as JSON to be told apart, which takes milliseconds for a megabyte.
 *
 * **Example** (Proving that a pipeline survives)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.flappingNetwork({ rate: 0.3 }), { enabled: true, seed: "night" }),
 *   ClaudeLayer.standard()
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return message.stop_reason
 * })
 *
 * assert.strictEqual(await Effect.runPromise(Effect.provide(program, Claude)), "end_turn")
 * ```
 *
 * @since 0.1.0
 */
import type { Message, RefusalStopDetails } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { type Combinator, CompositionError } from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Fault from "./Fault.ts"
import { makeChaosService } from "./internal/chaos/ChaosService.ts"
import { Deck } from "./internal/chaos/Deck.ts"
import { describeInjection } from "./internal/chaos/describeInjection.ts"
import { currentInstant, Enabled, Gate, SwitchState } from "./internal/chaos/Gate.ts"
import type * as InternalInjection from "./internal/chaos/Injection.ts"
import { type Change, makeInjection, rangeOf } from "./internal/chaos/Injection.ts"
import type * as Window from "./internal/chaos/Window.ts"
import { makeStep } from "./internal/script/Step.ts"

/**
 * Something that happens to calls: what the constructors of this module make. `R` is what its behaviour needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Injection<out R = never> extends InternalInjection.Injection<R> {}

/**
 * How often, when and for which calls an injection happens.
 *
 * **Details**
 *
 * - `rate`: the share of the calls it happens to, from 0 to 1.
 * - `name`: what telemetry, logs and `describe` call it; the name of the constructor by default. Draws depend on it: under the
 *   same name and seed an injection hits the same calls, whatever stands beside it.
 * - `calls`: which calls it may happen to; all by default.
 * - `from`, `to`, `every`, `for`: when, as {@link WindowOptions} says; always by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface InjectionOptions extends InternalInjection.InjectionOptions {}

/**
 * When an injection may happen, counted from when chaos was turned on: by the {@link Switch} if there is one, else when the
 * layer was built.
 *
 * **Details**
 *
 * - `from`: not before that; at once by default.
 * - `to`: not from that on; no end by default.
 * - `every` and `for`: at the beginning of each period `every`, counted from `from`, for that long. Both or none.
 *
 * What has begun goes on when its window closes: a latency passes, a stream that is to be cut is cut.
 *
 * @category models
 * @since 0.1.0
 */
export interface WindowOptions extends Window.WindowOptions {}

/**
 * A request that is about to be sent. `method` tells the types of `request` apart; `attempt` is the number that the retry
 * around gave it, counted from 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Call = InternalInjection.Call

/**
 * A range of which each call draws one value, all of them equally likely.
 *
 * @category models
 * @since 0.1.0
 */
export interface Range<out A> extends InternalInjection.Range<A> {}

/**
 * Fails calls before they are sent, with a fault of a script or with an error.
 *
 * **Details**
 *
 * A `Fault` is filled in as in a script: number of the attempt, model, request id. Its delay (`ClaudeTest.delayed`) passes
 * before it fails. `Fault.hang()` never answers. An error is passed on as it is, the same instance each time.
 *
 * **Example** (Being overloaded for a minute out of ten)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const overload = Chaos.fault(Fault.overloaded(), { rate: 1, every: "10 minutes", for: "1 minute" })
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([overload], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "OverloadedError")
 * assert.match(error.requestId ?? "", /^req_chaos_/)
 * ```
 *
 * @category kinds
 * @since 0.1.0
 */
export const fault = (
  fault: Fault.Fault | Fault.Hang | ClaudeError,
  options: InjectionOptions
): Injection =>
  makeInjection("Chaos.fault", "fault", options, {
    _tag: "fault",
    step: "behavior" in fault ? fault : Fault.of(fault)
  })

/**
 * Options of {@link latency}.
 *
 * **Details**
 *
 * - `at`: where the time passes. `headers`, the default: between the request and the headers of the answer. `events`: before each
 *   event of a stream; other calls are left alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface LatencyOptions extends InjectionOptions {
  readonly at?: "headers" | "events" | undefined
}

/**
 * Lets time pass before the answer, or before each event of a stream.
 *
 * **Details**
 *
 * The time passes on the `Clock`, and counts against the limits of `ClaudeLayer.withAttemptTimeout`, the one for headers
 * included. With a range each call, and each event, draws its own. Latencies of one call add up.
 *
 * **Example** (Answering late)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos([Chaos.latency({ min: "20 seconds", max: "1 minute" }, { rate: 1 })], { enabled: true }),
 *   ClaudeLayer.withAttemptTimeout({ headers: "10 millis" })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag === "AttemptTimeoutError" && error.phase, "headers")
 * ```
 *
 * @category kinds
 * @since 0.1.0
 */
export const latency = (
  duration: Duration.Input | Range<Duration.Input>,
  options: LatencyOptions
): Injection =>
  makeInjection("Chaos.latency", "latency", options, {
    _tag: "latency",
    at: options.at ?? "headers",
    millis: rangeOf("Chaos.latency", "duration", duration, (value: Duration.Input) =>
      Duration.toMillis(OptionCheck.duration("Chaos.latency", "duration", value)))
  })

/**
 * Puts another answer in the place of the real one, made from it. The request is sent, and its tokens are used.
 *
 * **Details**
 *
 * Token counts are left alone.
 *
 * **Gotchas**
 *
 * A stream is read to its end before the other answer is streamed, so its first event comes late.
 *
 * **Example** (Answering something else)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.outcome((message) => ({ ...message, content: [] }), { rate: 1 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual(message.content, [])
 * ```
 *
 * @category kinds
 * @since 0.1.0
 */
export const outcome = (
  answer: (message: Message, call: Call) => Message,
  options: InjectionOptions
): Injection => changed("Chaos.outcome", "outcome", options, { _tag: "replace", answer })

/**
 * Runs an effect before a call is sent, such as one that empties a cache or opens a circuit.
 *
 * **Details**
 *
 * What the effect needs, the layer needs: it is taken from the context that {@link withChaos} is built in. The call waits for
 * it. A failure has to be handled in it; a defect is a defect of the call.
 *
 * **Example** (Counting what is sent to one model)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Ref from "effect/Ref"
 *
 * const seen = Ref.makeUnsafe(0)
 * const count = Chaos.behavior(Ref.update(seen, (count) => count + 1), {
 *   rate: 1,
 *   calls: ({ request }) => request.model === "claude-sonnet-5-5"
 * })
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([count], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(Ref.getUnsafe(seen), 1)
 * ```
 *
 * @category kinds
 * @since 0.1.0
 */
export const behavior = <R = never>(
  effect: Effect.Effect<unknown, never, R> | ((call: Call) => Effect.Effect<unknown, never, R>),
  options: InjectionOptions
): Injection<R> =>
  makeInjection<R>("Chaos.behavior", "behavior", options, {
    _tag: "behavior",
    run: Effect.isEffect(effect) ? () => effect : effect
  })

/**
 * Options of outcomes that happen in the middle of an answer.
 *
 * **Details**
 *
 * - `afterEvents`: how many events of a stream arrive before, pings not counted; with a range each stream draws its own. 3 by
 *   default: `message_start`, `content_block_start` and the first delta.
 *
 * @category models
 * @since 0.1.0
 */
export interface OutcomeOptions extends InjectionOptions {
  readonly afterEvents?: number | Range<number> | undefined
}

/**
 * Options of {@link refusal}. `category` is that of the refusal [`general_harms`]; `afterEvents` is 1 by default, after which
 * nothing was said yet.
 *
 * @category models
 * @since 0.1.0
 */
export interface RefusalOptions extends OutcomeOptions {
  readonly category?: RefusalStopDetails["category"] | undefined
}

const firstContent = 3

const changed = (owner: string, name: string, options: InjectionOptions, change: Change): Injection =>
  makeInjection(owner, name, options, { _tag: "outcome", change })

const eventsOf = (owner: string, given: number | Range<number>, least: number) =>
  rangeOf(owner, "afterEvents", given, (value: number) => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw OptionCheck.refuse(owner, "afterEvents", `a whole number of at least ${least}`, value)
    }
    return value
  })

const broken = (
  owner: string,
  name: string,
  options: OutcomeOptions,
  by: Extract<Change, { readonly _tag: "break" }>["by"]
): Injection =>
  changed(owner, name, options, {
    _tag: "break",
    by,
    afterEvents: eventsOf(owner, options.afterEvents ?? firstContent, 0)
  })

/**
 * Makes the model refuse: an answer with `stop_reason: "refusal"`, and nothing of what it would have said after that.
 *
 * **Details**
 *
 * As from the API it is an answer and no error; `ClaudeLayer.withCompleteAnswers` makes one of it. The request is sent.
 *
 * **Example** (Refusing to answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.refusal({ rate: 1, category: "cyber" })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "refusal")
 * assert.strictEqual(message.stop_details?.category, "cyber")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const refusal = (options: RefusalOptions): Injection =>
  changed("Chaos.refusal", "refusal", options, {
    _tag: "endWith",
    afterEvents: eventsOf("Chaos.refusal", options.afterEvents ?? 1, 1),
    end: {
      stop_reason: "refusal",
      stop_details: {
        type: "refusal",
        category: options.category ?? "general_harms",
        explanation: null
      }
    }
  })

/**
 * Ends an answer early with `stop_reason: "max_tokens"`, the input of a tool cut in the middle too.
 *
 * **Details**
 *
 * The answer has what was streamed in `afterEvents` events; of one that is not streamed, what would have been, in deltas of eight
 * characters. The request is sent.
 *
 * **Example** (Cutting an answer short)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.truncatedOutput({ rate: 1 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "max_tokens")
 * assert.deepStrictEqual(message.content, [{ type: "text", text: "Hello, h", citations: null }])
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const truncatedOutput = (options: OutcomeOptions): Injection =>
  changed("Chaos.truncatedOutput", "truncatedOutput", options, {
    _tag: "endWith",
    afterEvents: eventsOf("Chaos.truncatedOutput", options.afterEvents ?? firstContent, 1),
    end: { stop_reason: "max_tokens", stop_details: null }
  })

/**
 * Cuts the connection after some events: `StreamInterruptedError`. An answer that is not streamed is lost after it was made:
 * `ConnectionError`.
 *
 * **Details**
 *
 * The request is sent, and its tokens are used. A stream that has ended before is left alone.
 *
 * **Example** (Losing the connection in a sentence)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.cutStream({ rate: 1, afterEvents: 3 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   Stream.runCollect(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "StreamInterruptedError")
 * assert.strictEqual(error.partial?.text, "Hello, h")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const cutStream = (options: OutcomeOptions): Injection => broken("Chaos.cutStream", "cutStream", options, "cut")

/**
 * Goes silent after some events, for ever, as does an answer that is not streamed. A timeout, a deadline or an interrupt ends
 * the call.
 *
 * **Gotchas**
 *
 * Without a timeout around it the call never ends, also when chaos is turned off meanwhile.
 *
 * **Example** (Noticing the silence)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos([Chaos.stallStream({ rate: 1 })], { enabled: true }),
 *   ClaudeLayer.withAttemptTimeout({ idle: "10 millis" })
 * )
 * const program = ClaudeService.use((claude) =>
 *   Stream.runCollect(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag === "AttemptTimeoutError" && error.phase, "idle")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const stallStream = (options: OutcomeOptions): Injection =>
  broken("Chaos.stallStream", "stallStream", options, "stall")

/**
 * Ends a stream in good order before its `message_stop`: `StreamInterruptedError`, or `InvalidResponseError` after 0 events. An
 * answer that is not streamed ends before its JSON does: `InvalidResponseError`.
 *
 * **Example** (Ending too early)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.endWithoutStop({ rate: 1 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   Stream.runCollect(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error.message, "The stream ended without message_stop")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const endWithoutStop = (options: OutcomeOptions): Injection =>
  broken("Chaos.endWithoutStop", "endWithoutStop", options, "end")

/**
 * Fails a stream with a fault after some events, with what had arrived in `partial`. An answer that is not streamed fails with
 * the fault after it was made.
 *
 * **Details**
 *
 * An error of the API comes as an `error` event, as on the wire: without status and `retryAfter`, and told by its type and code.
 * See `Fault.midStream`.
 *
 * **Example** (Being overloaded in the middle of an answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.midStream(Fault.overloaded(), { rate: 1, afterEvents: 4 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   Stream.runCollect(claude.streamMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "OverloadedError")
 * assert.strictEqual(error.partial?.events, 4)
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const midStream = (fault: Fault.Fault, options: OutcomeOptions): Injection =>
  broken("Chaos.midStream", "midStream", options, fault)

/**
 * Makes the answer none: `InvalidResponseError`, as for the page of a captive portal, or for an event of a stream that is
 * malformed.
 *
 * **Example** (Getting a page instead of an answer)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.invalidResponse({ rate: 1 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(Claude), Effect.flip))
 * assert.strictEqual(error._tag, "InvalidResponseError")
 * ```
 *
 * @category outcomes
 * @since 0.1.0
 */
export const invalidResponse = (options: OutcomeOptions): Injection =>
  broken("Chaos.invalidResponse", "invalidResponse", options, Fault.invalidResponse())

/**
 * What a {@link Switch} does.
 *
 * **Details**
 *
 * - `isOn`: whether chaos is on.
 * - `turnOn`: turns it on, anew if it is on already: windows count from here. With `for` it turns itself off after that time, whatever
 *   becomes of whoever turned it on.
 * - `turnOff`: turns it off for every call that is yet to be sent. What calls in flight were dealt stays.
 * - `onSince`: since when it is on, in milliseconds of the clock's monotonic time; `undefined` while it is off. Asked at each request, so
 *   it has to be quick.
 *
 * @category models
 * @since 0.1.0
 */
export interface SwitchShape {
  readonly isOn: Effect.Effect<boolean>
  readonly turnOn: (options?: { readonly for?: Duration.Input | undefined }) => Effect.Effect<void>
  readonly turnOff: Effect.Effect<void>
  readonly onSince: (clock: Clock.Clock) => number | undefined
}

/**
 * Turns chaos on and off while the program runs. {@link withChaos} takes it from the context that it is built in; with one there,
 * chaos is off while the switch is.
 *
 * **Example** (Breaking a program for a while)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos([Chaos.fault(Fault.overloaded(), { rate: 1 })]),
 *   Layer.provideMerge(Chaos.layerSwitch())
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 * const watched = Effect.gen(function*() {
 *   const operator = yield* Chaos.Switch
 *   const before = yield* program
 *   yield* operator.turnOn({ for: "10 minutes" })
 *   const during = yield* Effect.flip(program)
 *   yield* operator.turnOff
 *   const after = yield* program
 *   return [before.stop_reason, during._tag, after.stop_reason]
 * })
 *
 * const seen = await Effect.runPromise(watched.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual(seen, ["end_turn", "OverloadedError", "end_turn"])
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class Switch extends Context.Service<Switch, SwitchShape>()("@effect-claude/testing/Chaos/Switch") {}

/**
 * Provides a {@link Switch}: off, unless `on` says otherwise when the layer is built. `on` may be an effect, such as a `Config`.
 *
 * **Details**
 *
 * Each flip is logged: on as a warning, off as information.
 *
 * **Example** (Letting the environment decide how it begins)
 *
 * ```ts
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import { assert } from "@effect/vitest"
 * import * as Config from "effect/Config"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const Operator = Chaos.layerSwitch({ on: Config.Boolean("CLAUDE_CHAOS").pipe(Config.withDefault(false)) })
 * const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CLAUDE_CHAOS: "true" }))
 *
 * const isOn = Chaos.Switch.use((operator) => operator.isOn).pipe(
 *   Effect.provide(Operator.pipe(Layer.provide(environment)))
 * )
 * assert.isTrue(await Effect.runPromise(isOn))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSwitch = <E = never, R = never>(
  options: { readonly on?: boolean | Effect.Effect<boolean, E, R> | undefined } = {}
): Layer.Layer<Switch, E, R> =>
  Layer.effect(
    Switch,
    Effect.gen(function*() {
      const state = new SwitchState()
      const shape: SwitchShape = {
        isOn: Effect.map(Clock.Clock, (clock) => state.onSince(clock) !== undefined),
        turnOn: (given) => {
          const lasting = OptionCheck.duration("Chaos.Switch.turnOn", "for", given?.for ?? Duration.infinity, {
            positive: true,
            infinite: true
          })
          return Effect.flatMap(currentInstant, (instant) => {
            state.turnOn(instant, lasting)
            return Effect.logWarning("Chaos is on", Duration.isFinite(lasting) ? { for: Duration.format(lasting) } : {})
          })
        },
        turnOff: Effect.suspend(() => {
          state.turnOff()
          return Effect.logInfo("Chaos is off")
        }),
        onSince: (clock) => state.onSince(clock)
      }
      if (yield* said(options.on ?? false)) yield* shape.turnOn()
      return shape
    })
  )

const said = <A, E, R>(given: A | Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.isEffect(given) ? given : Effect.succeed(given)

/**
 * Says for the calls of an effect that chaos is on, or that it is off. Off wins: a switch that is off stays off within, and what
 * is excluded here stays excluded when the switch is on.
 *
 * **Gotchas**
 *
 * For a stream, `Stream.provideService(stream, Chaos.CurrentEnabled, false)` says the same.
 *
 * **Example** (Sparing what must not fail)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello, how are you?") }).pipe(
 *   Chaos.withChaos([Chaos.fault(Fault.overloaded(), { rate: 1 })], { enabled: true })
 * )
 * const program = ClaudeService.use((claude) =>
 *   claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * )
 *
 * const message = await Effect.runPromise(program.pipe(Chaos.withEnabled(false), Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withEnabled: {
  (enabled: boolean): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, enabled: boolean): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, enabled: boolean): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Enabled, enabled)
)

/**
 * What {@link withEnabled} has said, `undefined` where it has said nothing.
 *
 * **Example** (Asking what was said)
 *
 * ```ts
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * assert.isUndefined(await Effect.runPromise(Chaos.CurrentEnabled))
 * assert.isTrue(await Effect.runPromise(Chaos.withEnabled(Chaos.CurrentEnabled, true)))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentEnabled: Context.Reference<boolean | undefined> = Enabled

/**
 * Options of {@link withChaos}.
 *
 * **Details**
 *
 * - `enabled`: whether chaos is on, asked when the layer is built; may be an effect, such as a `Config`. Nothing by default, which is
 *   off unless a {@link Switch} or {@link withEnabled} says on. `false` is off whatever they say.
 * - `seed`: what is drawn depends on it; `"chaos"`. Give each process of a fleet its own, or all of them hit the same calls.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChaosOptions<out E = never, out R = never> {
  readonly enabled?: boolean | Effect.Effect<boolean, E, R> | undefined
  readonly seed?: string | number | undefined
}

const policyName = "chaos"

// What is put around the client by `ClaudeLayer`. A layer of somebody else's may stand next to the client too, such as one that
// answers from a recording.
const outerPolicies = new Set([
  "alerts",
  "attemptTimeout",
  "cache",
  "circuitBreaker",
  "completeAnswers",
  "concurrency",
  "deadline",
  "fallback",
  "fallbackCredit",
  "hedge",
  "rateLimiter",
  "retry",
  "retryBudget",
  "serverFallbacks",
  "streamRecovery",
  "telemetry",
  "usage"
])

const provided = <R>(injection: Injection<R>, context: Context.Context<R>): Injection => {
  const { action } = injection
  if (action._tag !== "behavior") return { ...injection, action }
  return {
    ...injection,
    action: {
      _tag: "behavior",
      // What the call has set itself, its span for one, is not replaced by what there was when the layer was built.
      run: (call) =>
        Effect.updateContext(action.run(call), (own: Context.Context<never>) => Context.merge(context, own))
    }
  }
}

/**
 * Puts chaos around the client of a layer. Off by default; see the top of this module.
 *
 * **Details**
 *
 * In the order of the list: behaviours and latencies happen one after the other, the first fault ends the call before it is
 * sent, and outcomes change the answer one after the other. Each injection draws by itself, so several may hit one call.
 *
 * Several `withChaos` may stand around each other. `ClaudeLayer.describe` shows each as `chaos` with its seed, its injections and
 * whether it is `on`.
 *
 * **Gotchas**
 *
 * Around a policy of `ClaudeLayer` it is a defect of the build, a `CompositionError`: that policy would never meet what is injected.
 *
 * **Example** (Leaving it in production code)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = AnthropicClient.layerConfig.pipe(
 *   Chaos.withChaos([...Chaos.brownout(), ...Chaos.midStreamCuts({ rate: 0.05 })]),
 *   ClaudeLayer.standard(),
 *   Layer.provideMerge(Chaos.layerSwitch())
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const withChaos = <R = never, E = never, R2 = never>(
  injections: ReadonlyArray<Injection<R>>,
  options: ChaosOptions<E, R2> = {}
): Combinator<E, R | R2> =>
(base) =>
  Layer.provideMerge(
    Layer.effect(
      ClaudeService,
      Effect.gen(function*() {
        const inner = yield* ClaudeService
        const policies = inner.policies ?? []
        const guarded = policies.find(({ name }) => outerPolicies.has(name))
        if (guarded !== undefined) {
          return yield* Effect.die(
            new CompositionError(
              policyName,
              guarded.name,
              `Chaos.withChaos around "${guarded.name}": it would never meet what is injected; put withChaos first, next to the client`
            )
          )
        }
        const context = yield* Effect.context<R>()
        const operator = Option.getOrUndefined(yield* Effect.serviceOption(Switch))
        const gate = new Gate({
          enabled: options.enabled === undefined ? undefined : yield* said(options.enabled),
          onSince: operator?.onSince,
          clock: yield* Clock.Clock
        })
        const seed = String(options.seed ?? policyName)
        const deck = new Deck(seed, injections.map((injection) => provided(injection, context)))
        const described = {
          get on() {
            return gate.isOn
          },
          seed,
          injections: injections.map(describeInjection)
        }
        return {
          ...makeChaosService(inner, gate, deck),
          policies: [{ name: policyName, options: described }, ...policies]
        }
      })
    ),
    base
  )

/**
 * Options of the profiles: how often, for which calls, and when.
 *
 * **Details**
 *
 * What is not given is as the profile says. Of a window that is given all counts: `{ from: "5 minutes" }` is everything from then
 * on, and the profile's own `every` and `for` are gone.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProfileOptions extends WindowOptions {
  readonly rate?: number | undefined
  readonly calls?: ((call: Call) => boolean) | undefined
}

/** A part of a profile: its window, unless one was given, which then counts as a whole. */
const part = (name: string, given: ProfileOptions, rate: number, window: WindowOptions = {}): InjectionOptions => {
  const { calls, every, for: lasting, from, to } = given
  const isGiven = [every, lasting, from, to].some((value) => value !== undefined)
  return { name, rate, calls, ...(isGiven ? { every, for: lasting, from, to } : window) }
}

const rateOf = (name: string, given: ProfileOptions, byDefault: number): number =>
  OptionCheck.number(`Chaos.${name}`, "rate", given.rate ?? byDefault, 0, 1)

const streams = (options: InjectionOptions): InjectionOptions => ({
  ...options,
  calls: (call) => call.method === "streamMessage" && (options.calls === undefined || options.calls(call))
})

/**
 * The API has no capacity: 529 for every call, two minutes out of ten.
 *
 * **Details**
 *
 * `rate` is the share of calls in the window that fails [1]; the window is `every: "10 minutes", for: "2 minutes"`.
 *
 * Such windows last minutes, and nothing gets through: 43 of 43 calls failed in two minutes (hermes-agent#101875); 510 failed in 80
 * minutes elsewhere (litellm, pull request 24005). How often they come is a guess on the safe side.
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.overloadStorm({ from: "1 minute", to: "4 minutes" }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const overloadStorm = (options: ProfileOptions = {}): ReadonlyArray<Injection> => {
  const rate = rateOf("overloadStorm", options, 1)
  return [fault(Fault.overloaded(), part("overloadStorm", options, rate, { every: "10 minutes", for: "2 minutes" }))]
}

/**
 * The rate limit is used up by somebody else for a while: 429 with `retry-after`.
 *
 * **Details**
 *
 * - `rate`: the share of calls in the window that is refused [0.7]; the others find room in the bucket.
 * - `retryAfter`: what the API asks for [20 seconds]. Like the API's it is a promise: windows are no longer by default, so who waits that
 *   long gets through, and who comes earlier does not.
 * - The window is `every: "2 minutes", for: "20 seconds"`.
 *
 * That retries before `retry-after` fail is in the API's documentation on rate limits; the numbers are ours.
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.rateLimitWave({ retryAfter: "5 seconds" }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const rateLimitWave = (
  options: ProfileOptions & { readonly retryAfter?: Duration.Input | undefined } = {}
): ReadonlyArray<Injection> => {
  const rate = rateOf("rateLimitWave", options, 0.7)
  const refused = Fault.rateLimit({ retryAfter: options.retryAfter ?? "20 seconds" })
  return [fault(refused, part("rateLimitWave", options, rate, { every: "2 minutes", for: "20 seconds" }))]
}

/**
 * The API is slow, and fails now and then: 500 and 529.
 *
 * **Details**
 *
 * - `rate`: the share of calls that fails [0.15], two thirds of them with 500 and one third with 529, each after half a second.
 * - `slowRate`: the share of calls that is slow [0.5], those that fail among them: 2 to 15 seconds more before the headers.
 * - It has no window.
 *
 * Of 500 and 529 together, since an outage of hours is mostly a partial one (510 failures in 80 minutes: litellm, pull request
 * 24005); the shares are ours.
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.brownout({ rate: 0.3, slowRate: 0.8 }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const brownout = (
  options: ProfileOptions & { readonly slowRate?: number | undefined } = {}
): ReadonlyArray<Injection> => {
  const rate = rateOf("brownout", options, 0.15)
  const slowRate = OptionCheck.number("Chaos.brownout", "slowRate", options.slowRate ?? 0.5, 0, 1)
  const late = ({ behavior, label }: Fault.Fault): Fault.Fault =>
    makeStep(label, behavior, { delay: Duration.millis(500) })
  return [
    latency({ min: "2 seconds", max: "15 seconds" }, part("brownout", options, slowRate)),
    fault(late(Fault.internalServer()), part("brownout", options, rate * 2 / 3)),
    fault(late(Fault.overloaded()), part("brownout", options, rate / 3))
  ]
}

/**
 * The network comes and goes: connections are reset before the headers, and streams in the middle, a quarter of each minute.
 *
 * **Details**
 *
 * `rate` is the share of calls in the window that is reset before the headers [0.42]; of the streams that get through half as large
 * a share is cut after 3 to 40 events. The window is `every: "1 minute", for: "15 seconds"`.
 *
 * 42 % is the share of resets that was measured on connections that had been idle for 5 to 15 minutes (claude-code#89608); a retry can
 * go out at once.
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.flappingNetwork({ rate: 0.8 }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const flappingNetwork = (options: ProfileOptions = {}): ReadonlyArray<Injection> => {
  const rate = rateOf("flappingNetwork", options, 0.42)
  const window = { every: "1 minute", for: "15 seconds" } as const
  return [
    fault(Fault.connection(), part("flappingNetwork", options, rate, window)),
    cutStream({
      ...streams(part("flappingNetwork", options, rate / 2, window)),
      afterEvents: { min: 3, max: 40 }
    })
  ]
}

/**
 * Answers begin late: 20 to 90 seconds pass before the headers of some.
 *
 * **Details**
 *
 * `rate` is the share of calls [0.2]. It has no window.
 *
 * The range lies around the 30 seconds to the first event and within the 120 seconds of an attempt that `ClaudeLayer.standard` allows,
 * so it tells whether a pipeline gives up on what is slow; silences of over 120 seconds are reported of healthy calls
 * (gajae-code#4097).
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.slowFirstByte({ rate: 0.5 }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const slowFirstByte = (options: ProfileOptions = {}): ReadonlyArray<Injection> => [
  latency(
    { min: "20 seconds", max: "90 seconds" },
    part("slowFirstByte", options, rateOf("slowFirstByte", options, 0.2))
  )
]

/**
 * Answers break off after they have begun: the connection is cut, the stream ends without `message_stop`, or an
 * `overloaded_error` comes as an event.
 *
 * **Details**
 *
 * `rate` is about the share of calls it happens to [0.2]: three fifths are cut, a fifth ends early, a fifth gets the event, each after 3
 * to 40 events. An answer that is not streamed is lost after it was made. It has no window.
 *
 * All three are known of the real API and of the gateways before it (claude-code#69415, DeepSeek-Reasonix#8756, litellm#24004); the
 * shares are ours.
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.midStreamCuts({ rate: 0.5 }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const midStreamCuts = (options: ProfileOptions = {}): ReadonlyArray<Injection> => {
  const rate = rateOf("midStreamCuts", options, 0.2)
  const of = (share: number): OutcomeOptions => ({
    ...part("midStreamCuts", options, rate * share),
    afterEvents: { min: 3, max: 40 }
  })
  return [cutStream(of(3 / 5)), endWithoutStop(of(1 / 5)), midStream(Fault.overloaded(), of(1 / 5))]
}

/**
 * The spend limit of the organization is reached: 429 with `enforced_spend_limit_reached` and no `retry-after`, for every call.
 *
 * **Details**
 *
 * `rate` is the share of calls [1]. It has no window, as the limit holds until the first of the month: give `from` to see it begin.
 *
 * It has the type of a rate limit and is none: no wait helps (the API's documentation on rate limits). A client that retries it sends
 * for nothing until its deadline, as some do (oh-my-pi#5418).
 *
 * **Example** (Trying it on a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as Chaos from "@effect-claude/testing/Chaos"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 *
 * const Claude = ClaudeTest.script([], { after: Reply.text("Hello!") }).pipe(
 *   Chaos.withChaos(Chaos.spendCap({ from: "5 minutes" }), { enabled: true }),
 *   ClaudeLayer.standard()
 * )
 * ```
 *
 * @category profiles
 * @since 0.1.0
 */
export const spendCap = (options: ProfileOptions = {}): ReadonlyArray<Injection> => [
  fault(Fault.spendLimit(), part("spendCap", options, rateOf("spendCap", options, 1)))
]

/**
 * What is known of an answer beside its content: who gave it, after how many attempts, with which request id, and what the
 * rate limits looked like.
 *
 * **Details**
 *
 * Carried by the message itself, and by the `message_start` event of a stream, under a symbol: it survives a spread
 * (`{ ...message }`) and never shows up in JSON. What is known only at the end of a stream, its `parts`, comes with
 * the `delta` of the last `message_delta`.
 *
 * **Example** (Seeing where an answer came from)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("Hello from the smaller model")]).pipe(
 *   ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   return AnswerInfo.of(message)
 * })
 *
 * const info = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.deepStrictEqual(info.source, { _tag: "Model", model: "claude-haiku-5-5" })
 * assert.deepStrictEqual(info.passedOver.map(({ error }) => error?._tag), ["OverloadedError"])
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type { ClaudeError } from "./ClaudeError.ts"
import { servedBy } from "./internal/answer/servedBy.ts"
import type { RateLimits } from "./RateLimits.ts"
import type { TokenUsage } from "./TokenUsage.ts"

/**
 * Who gave an answer.
 *
 * **Details**
 *
 * - `Requested`: the model that was asked for;
 * - `Model`: another model of the same service, asked by `withFallback`, or by the API where the request has `fallbacks`;
 * - `Service`: another service, a key or a cloud, by its name. `model` is there when it was not the model asked for;
 * - `Cached`: an earlier answer to the same request, `age` old. `stale` says that it was past its time and
 *   given because nothing fresh could be had;
 * - `Static`: the program's own answer;
 * - `HandOff`: whoever the program handed the request to.
 *
 * @category models
 * @since 0.1.0
 */
export type Source =
  | { readonly _tag: "Requested" }
  | { readonly _tag: "Model"; readonly model: string }
  | { readonly _tag: "Service"; readonly name: string; readonly model?: string | undefined }
  | { readonly _tag: "Cached"; readonly age: Duration.Duration; readonly stale: boolean }
  | { readonly _tag: "Static" }
  | { readonly _tag: "HandOff" }

/**
 * A target that was asked before the one that answered, and the failure it gave. A refusal is a `RefusalError` here, also
 * when it came as an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailedTarget {
  readonly target: string
  readonly error: ClaudeError
  readonly reason?: undefined
}

/**
 * A target that was not asked at all, and why: what the request needs and the model cannot do, or what the failure before
 * says of this target too.
 *
 * @category models
 * @since 0.1.0
 */
export interface SkippedTarget {
  readonly target: string
  readonly reason: string
  readonly error?: undefined
}

/**
 * A target that did not give the answer, and why: `error` if it was asked and failed, `reason` if it was skipped.
 *
 * **Example** (Saying why a target was passed over)
 *
 * ```ts
 * import type * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import { assert } from "@effect/vitest"
 *
 * const why = (passed: AnswerInfo.PassedOver): string =>
 *   passed.error === undefined ? `skipped, ${passed.reason}` : passed.error._tag
 *
 * assert.strictEqual(why({ target: "claude-opus-5-5", reason: "takes no prefill" }), "skipped, takes no prefill")
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type PassedOver = FailedTarget | SkippedTarget

/**
 * One request of an answer that the API paused and that was continued: what it took by itself, and why it stopped. `usage` of the
 * message is that of all its turns.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnswerTurn {
  readonly id: string
  readonly model: string
  readonly stopReason: string | null
  readonly usage: TokenUsage
  readonly attempt: number
  readonly requestId: string | undefined
}

/**
 * A part of a stream that was recovered: who wrote it, what ended it (nothing did, if it is the last), and whether it is in
 * the answer. What a restart took back is not.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnswerPart {
  readonly model: string
  readonly requestId: string | undefined
  readonly error?: ClaudeError | undefined
  readonly kept: boolean
}

/**
 * What is known of an answer beside its content.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnswerInfo {
  readonly source: Source
  /** The targets before the one that answered, in order. Empty when the first one did. */
  readonly passedOver: ReadonlyArray<PassedOver>
  /** What was changed in the request, so that the one that answered could take it ("max_tokens from 64000 to 8192"). */
  readonly adapted?: ReadonlyArray<string> | undefined
  /** The turns of an answer that was continued after `pause_turn`, in order. Absent if one was enough. */
  readonly turns?: ReadonlyArray<AnswerTurn> | undefined
  /** The parts of a stream that broke off and was recovered, in order. Absent for an answer in one piece. */
  readonly parts?: ReadonlyArray<AnswerPart> | undefined
  /** The attempt that succeeded, 1-based, counted by the retry layer next to the client. */
  readonly attempt: number
  readonly requestId: string | undefined
  readonly rateLimits: RateLimits | undefined
}

/**
 * The key under which a message, or a `message_start` event, carries its {@link AnswerInfo}.
 *
 * @category symbols
 * @since 0.1.0
 */
export const Key: unique symbol = Symbol.for("@effect-claude/client/AnswerInfo")

const unknown: AnswerInfo = {
  source: { _tag: "Requested" },
  passedOver: [],
  attempt: 1,
  requestId: undefined,
  rateLimits: undefined
}

const carried = (answer: object): AnswerInfo => Key in answer ? answer[Key] as AnswerInfo : unknown

const changed = (known: AnswerInfo, info: Partial<AnswerInfo>): AnswerInfo => {
  const adapted = info.adapted ?? known.adapted
  const parts = info.parts ?? known.parts
  const all = {
    source: info.source ?? known.source,
    passedOver: info.passedOver ?? known.passedOver,
    ...(adapted === undefined ? undefined : { adapted }),
    ...(parts === undefined ? undefined : { parts }),
    attempt: info.attempt ?? known.attempt,
    requestId: info.requestId ?? known.requestId,
    // Read from the headers when somebody asks, so not asked for here.
    get rateLimits() {
      return info.rateLimits ?? known.rateLimits
    }
  }
  if (!("turns" in info || "turns" in known)) return all
  // Those of a stream are known after its start, which is where they are looked for.
  return Object.defineProperty(all, "turns", { enumerable: true, get: () => info.turns ?? known.turns })
}

/** Who answered, where the API asked another model than the one it was asked for. */
const servedSource = (source: Source, model: string): Source => {
  switch (source._tag) {
    case "Requested":
    case "Model":
      return { _tag: "Model", model }
    case "Service":
      return { ...source, model }
    default:
      return source
  }
}

/**
 * What is known of this answer. For one that carries nothing (made by hand, or read back from JSON): asked for, first
 * attempt.
 *
 * **Example** (Asking a message that is none of ours)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(AnswerInfo.of({}).attempt, 1)
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const of = (answer: object): AnswerInfo => {
  const info = carried(answer)
  const model = servedBy(answer)
  return model === undefined ? info : changed(info, { source: servedSource(info.source, model) })
}

/**
 * The same answer, carrying more. What it carried before and is not named stays.
 *
 * **Example** (Marking an answer of the program's own)
 *
 * ```ts
 * import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
 * import { assert } from "@effect/vitest"
 *
 * const answer = AnswerInfo.annotate({ text: "We are busy" }, { source: { _tag: "Static" } })
 * assert.strictEqual(AnswerInfo.of(answer).source._tag, "Static")
 * assert.strictEqual(JSON.stringify(answer), `{"text":"We are busy"}`)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const annotate = <A extends object>(answer: A, info: Partial<AnswerInfo>): A => ({
  ...answer,
  [Key]: changed(carried(answer), info)
})

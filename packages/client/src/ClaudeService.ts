/**
 * The service that a program asks for to call Claude. Its interface is the same at every depth: the client, each policy
 * around it, and a test script all provide a `ClaudeService`.
 *
 * **Details**
 *
 * Requests and answers are the SDK's own types; fields that this toolkit does not know pass through untouched. Whatever goes
 * wrong is a `ClaudeError` in the error channel.
 *
 * **Gotchas**
 *
 * A request is read when its call runs, and again for each attempt. One that is changed meanwhile (a `messages.push` while a
 * retry waits) is sent as it is then.
 *
 * **Example** (Asking Claude)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const message = yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 1024,
 *     messages: [{ role: "user", content: "Say hello" }]
 *   })
 *   return message.stop_reason
 * })
 *
 * const stopReason = await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.script([Reply.text("Hello!")]))))
 * assert.strictEqual(stopReason, "end_turn")
 * ```
 *
 * @since 0.1.0
 */
import type {
  Message,
  MessageCountTokensParams,
  MessageCreateParamsNonStreaming,
  MessageTokensCount
} from "@anthropic-ai/sdk/resources/messages/messages"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { ClaudeError } from "./ClaudeError.ts"
import type { MessageEvent } from "./MessageEvents.ts"

/**
 * A request for a message, as the SDK types it. The same request serves `createMessage` and `streamMessage`.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageRequest = MessageCreateParamsNonStreaming

/**
 * A request to count the input tokens of a message, as the SDK types it.
 *
 * @category models
 * @since 0.1.0
 */
export type CountTokensRequest = MessageCountTokensParams

/**
 * What can be said about one call beside its request.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  /** Headers to send along, such as `anthropic-beta`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * A policy that a service is wrapped in: its name and its options, for tests, logs and the check of compositions, and what
 * it can be read and set by, if it holds a state. `ClaudeLayer.controls` gives that with its type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  readonly name: string
  readonly options: Readonly<Record<string, unknown>>
  readonly control?: unknown
}

/**
 * What a `ClaudeService` can do.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeServiceShape {
  /** Asks for a message and waits for the whole of it. */
  readonly createMessage: (request: MessageRequest, options?: CallOptions) => Effect.Effect<Message, ClaudeError>
  /**
   * Asks for a message and emits its events as they come, pings included, so that a consumer can tell a long think from a
   * stall. The request is sent when the stream is run, and its connection is closed when the stream ends or is dropped. With
   * `ClaudeLayer.withStreamRecovery` around it, a `restart` among the events takes back some of them.
   */
  readonly streamMessage: (request: MessageRequest, options?: CallOptions) => Stream.Stream<MessageEvent, ClaudeError>
  /** Counts the input tokens of a request without running it. */
  readonly countTokens: (
    request: CountTokensRequest,
    options?: CallOptions
  ) => Effect.Effect<MessageTokensCount, ClaudeError>
  /** The policies around the client, outermost first. Absent on a service that is none of ours. */
  readonly policies?: ReadonlyArray<Policy> | undefined
}

/**
 * How long a service may wait for the headers of an answer, `undefined` for as long as it likes.
 *
 * **When to use**
 *
 * Read it in an implementation of `ClaudeService` of one's own. `ClaudeLayer.withAttemptTimeout({ headers })` sets it; the
 * client and the test script heed it.
 *
 * **Example** (Asking for the limit)
 *
 * ```ts
 * import { HeadersTimeout } from "@effect-claude/client/ClaudeService"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * assert.isUndefined(await Effect.runPromise(HeadersTimeout))
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const HeadersTimeout: Context.Reference<Duration.Duration | undefined> = Context.Reference(
  "@effect-claude/client/HeadersTimeout",
  { defaultValue: (): Duration.Duration | undefined => undefined }
)

/**
 * The service that a program asks for to call Claude.
 *
 * @category services
 * @since 0.1.0
 */
export class ClaudeService extends Context.Service<ClaudeService, ClaudeServiceShape>()(
  "@effect-claude/client/ClaudeService"
) {}

/**
 * The `ClaudeService` that talks to the API, through the official SDK.
 *
 * **Details**
 *
 * Checks a request, sends it once, and maps whatever happens to a `ClaudeError`. It never retries: the SDK's own retries
 * are off, and what to do about a failure is the business of the layers around it. One exception: with a credential
 * provider, a 401 makes the SDK drop its cached token, so the request is sent a second time with a fresh one.
 *
 * An interrupt, and with it every timeout, aborts the HTTP request: the socket closes, in the middle of a stream too.
 *
 * **Gotchas**
 *
 * Without a timeout layer a call waits as long as the transport does: ten minutes for headers, and Node's own five minutes
 * between two bytes.
 *
 * **Example** (Building the client from the environment)
 *
 * ```ts no-run
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 1024,
 *     messages: [{ role: "user", content: "Say hello" }]
 *   })
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(AnthropicClient.layerConfig.pipe(ClaudeLayer.standard()))))
 * ```
 *
 * @since 0.1.0
 */
import type { Anthropic, ClientOptions } from "@anthropic-ai/sdk"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type ClaudeError, InvalidRequestError } from "./ClaudeError.ts"
import { type CallOptions, ClaudeService, type ClaudeServiceShape } from "./ClaudeService.ts"
import { NoteBytes } from "./internal/callContext.ts"
import { describeAnswer } from "./internal/describeAnswer.ts"
import { readEvents } from "./internal/messageStream.ts"
import { makeModelCheck } from "./internal/modelCheck.ts"
import { scopedSignal } from "./internal/scopedSignal.ts"
import { prepareCall, requestIdOf, withFreshToken } from "./internal/sdkCall.ts"
import { checkOptions, makeSdkClient, optionsFromConfig } from "./internal/sdkClient.ts"
import { refuseUncounted } from "./internal/usage/unseen.ts"
import * as RequestCheck from "./RequestCheck.ts"
import * as SdkFailure from "./SdkFailure.ts"

/**
 * The part of an SDK client that is used here. The clients for Bedrock, Vertex and Foundry have it too, as long as they
 * share one installed copy of `@anthropic-ai/sdk` with this package: the types of two copies do not fit each other.
 *
 * @category models
 * @since 0.1.0
 */
export interface SdkClient {
  readonly messages: Pick<Anthropic["messages"], "create"> & Partial<Pick<Anthropic["messages"], "countTokens">>
  readonly apiKey?: string | null
  readonly authToken?: string | null
  readonly credentials?: unknown
}

/**
 * What to do about a model whose name the SDK does not list: log a warning that names the nearest ones (once for each
 * name), fail with an `InvalidRequestError`, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type UnknownModel = "warn" | "fail" | "ignore"

/**
 * Options of a client made here.
 *
 * **Details**
 *
 * - `apiKey` or `authToken`: at most one. With neither, the SDK looks for credentials where it usually does.
 * - `baseUrl`: where the API is; by default what the SDK finds in `ANTHROPIC_BASE_URL`, or `https://api.anthropic.com`.
 * - `unknownModel`: `"warn"` by default.
 * - `sdk`: any further option of the SDK's client (`fetch`, `fetchOptions`, `defaultHeaders`, `credentials`, ...). Its
 *   `maxRetries` has no effect here.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly apiKey?: Redacted.Redacted | undefined
  readonly authToken?: Redacted.Redacted | undefined
  readonly baseUrl?: string | undefined
  readonly unknownModel?: UnknownModel | undefined
  readonly sdk?: Omit<ClientOptions, "apiKey" | "authToken" | "baseURL" | "maxRetries"> | undefined
}

type SdkMessages = SdkClient["messages"]

const canCountTokens = (messages: SdkMessages): messages is Required<SdkMessages> => messages.countTokens !== undefined

const isMessage = (body: object): boolean => "type" in body && body.type === "message"

const isTokensCount = (body: object): boolean => "input_tokens" in body && typeof body.input_tokens === "number"

/**
 * Wraps a client of the SDK into a `ClaudeService`, without a layer.
 *
 * **Example** (Asking a client of one's own)
 *
 * ```ts
 * import { Anthropic } from "@anthropic-ai/sdk"
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const fetch = async () => new Response("<html>Log in to the hotel</html>", { headers: { "content-type": "text/html" } })
 * const claude = AnthropicClient.make(new Anthropic({ apiKey: "sk-ant-example", fetch }))
 *
 * const error = await Effect.runPromise(Effect.flip(claude.createMessage({
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user", content: "Hello" }]
 * })))
 * assert.strictEqual(error._tag, "InvalidResponseError")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  client: SdkClient,
  options?: { readonly unknownModel?: UnknownModel | undefined }
): ClaudeServiceShape => {
  const checkModel = makeModelCheck(options?.unknownModel ?? "warn")

  const prepare = (request: { readonly model: string }, call: CallOptions | undefined) =>
    prepareCall(client, call, { model: request.model, request })

  const checked = (
    request: { readonly model: string },
    endpoint: "messages" | "count_tokens",
    streaming: boolean
  ): Effect.Effect<void, ClaudeError> => {
    const error = RequestCheck.check(request, endpoint, { streaming })
    return error === undefined ? checkModel(request.model) : Effect.fail(error)
  }

  const authenticated = withFreshToken(client)

  const createMessage: ClaudeServiceShape["createMessage"] = (request, call) =>
    Effect.gen(function*() {
      const body = { ...request, stream: false as const }
      yield* refuseUncounted
      yield* checked(body, "messages", false)
      const { context, sdkOptions } = yield* prepare(request, call)
      const { data, response } = yield* authenticated(Effect.tryPromise({
        try: (signal) => client.messages.create(body, { ...sdkOptions, signal }).withResponse(),
        catch: (thrown) => SdkFailure.fromThrown(thrown, context)
      }))
      const error = SdkFailure.fromResolved(data, isMessage, { ...context, requestId: requestIdOf(response) })
      if (error !== undefined) return yield* error
      describeAnswer(data, response, context.attempt)
      return data
    })

  const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
    Stream.unwrap(Effect.gen(function*() {
      const body = { ...request, stream: true as const }
      yield* refuseUncounted
      yield* checked(body, "messages", true)
      const { context, sdkOptions } = yield* prepare(request, call)
      // Of the scope, not of the effect: the signal must fire when the stream is dropped, while a read is pending.
      const signal = yield* scopedSignal
      const response = yield* authenticated(Effect.tryPromise({
        try: () => client.messages.create(body, { ...sdkOptions, signal }).asResponse(),
        catch: (thrown) => SdkFailure.fromThrown(thrown, context)
      }))
      return readEvents(response, context, yield* NoteBytes)
    }))

  const countTokens: ClaudeServiceShape["countTokens"] = (request, call) =>
    Effect.gen(function*() {
      yield* checked(request, "count_tokens", false)
      const { context, sdkOptions } = yield* prepare(request, call)
      const { messages } = client
      if (!canCountTokens(messages)) {
        return yield* new InvalidRequestError({ message: "This client cannot count tokens", model: request.model })
      }
      const { data, response } = yield* authenticated(Effect.tryPromise({
        try: (signal) => messages.countTokens(request, { ...sdkOptions, signal }).withResponse(),
        catch: (thrown) => SdkFailure.fromThrown(thrown, context)
      }))
      const error = SdkFailure.fromResolved(data, isTokensCount, { ...context, requestId: requestIdOf(response) })
      return error === undefined ? data : yield* error
    })

  return { createMessage, streamMessage, countTokens, policies: [] }
}

/**
 * Makes a client of the SDK from options and provides it as the `ClaudeService`.
 *
 * **Details**
 *
 * The SDK's own spans are off (`ClaudeLayer.withTelemetry` makes ours) unless `sdk.openTelemetry` says otherwise.
 *
 * **Example** (Pointing at another server)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const Claude = Layer.unwrap(Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
 * })).pipe(Layer.provide(FakeClaudeApi.layer()))
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * const message = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(message.stop_reason, "end_turn")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<ClaudeService> => {
  checkOptions("AnthropicClient.layer", options)
  return Layer.sync(ClaudeService, () => make(makeSdkClient(options), options))
}

/**
 * Makes a client from `ANTHROPIC_API_KEY` or `ANTHROPIC_AUTH_TOKEN`, and `ANTHROPIC_BASE_URL`, read through `Config`. The
 * key wins when both are set, as it does in the SDK. Space around a value is dropped, and a blank one counts as not set.
 * Building fails with a `ConfigError` that names the variables when there is neither key nor token.
 *
 * **Example** (Reading the key from a configuration)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import { assert } from "@effect/vitest"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Exit from "effect/Exit"
 * import * as Layer from "effect/Layer"
 *
 * const build = (env: Record<string, string>) =>
 *   Effect.runPromiseExit(Effect.scoped(Layer.build(AnthropicClient.layerConfig)).pipe(
 *     Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
 *   ))
 *
 * assert.isTrue(Exit.isSuccess(await build({ ANTHROPIC_API_KEY: "sk-ant-example" })))
 * assert.isTrue(Exit.isFailure(await build({})))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<ClaudeService, Config.ConfigError> = Layer.unwrap(
  Effect.map(optionsFromConfig, layer)
)

/**
 * Provides a client of the SDK that exists already, such as one for Bedrock, Vertex or Foundry. Its retries are switched
 * off for each request; its other options stay in force.
 *
 * **Details**
 *
 * `unknownModel` is `"ignore"` by default here: other platforms name the models differently.
 *
 * **Example** (Using a client of one's own)
 *
 * ```ts
 * import { Anthropic } from "@anthropic-ai/sdk"
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 *
 * const client = new Anthropic({ apiKey: "sk-ant-example", timeout: 60_000 })
 * const Claude = AnthropicClient.fromClient(client).pipe(ClaudeLayer.standard())
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const fromClient = (
  client: SdkClient,
  options?: { readonly unknownModel?: UnknownModel | undefined }
): Layer.Layer<ClaudeService> => Layer.sync(ClaudeService, () => make(client, { unknownModel: "ignore", ...options }))

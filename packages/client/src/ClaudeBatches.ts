/**
 * The service for message batches: up to 100,000 requests at once, answered within 24 hours at half the price.
 *
 * **When to use**
 *
 * Most programs want `BatchJob.run`, which submits, waits, collects, and submits again what the server failed at. Here are the
 * operations of the API that it is made of.
 *
 * **Details**
 *
 * Each operation checks what it sends, sends it once, and fails with a `ClaudeError`. The SDK's retries are off, an interrupt
 * closes the socket. Results come as typed outcomes, line by line as they are read: a file of any size takes no more
 * memory than a line.
 *
 * **Example** (Running a batch and printing its outcomes)
 *
 * ```ts no-run
 * import * as BatchJob from "@effect-claude/client/BatchJob"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 *
 * const items = ["Paris", "Rome"].map((city): ClaudeBatches.BatchItem => ({
 *   custom_id: city,
 *   params: {
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: `What is ${city} known for?` }]
 *   }
 * }))
 * const program = Stream.runForEach(BatchJob.run(items), (outcome) => Console.log(outcome.customId, outcome._tag))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(ClaudeBatches.layerConfig)))
 * ```
 *
 * @since 0.1.0
 */
import type { Anthropic } from "@anthropic-ai/sdk"
import type { BatchCreateParams, DeletedMessageBatch, MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Options, UnknownModel } from "./AnthropicClient.ts"
import { BatchNotEndedError, IncompleteResultsError } from "./BatchError.ts"
import * as BatchLedger from "./BatchLedger.ts"
import type { BatchOutcome } from "./BatchOutcome.ts"
import {
  type ClaudeError,
  type InvalidRequestError,
  InvalidResponseError,
  NotFoundError,
  type RequestTooLargeError
} from "./ClaudeError.ts"
import type { CallOptions } from "./ClaudeService.ts"
import { checkBatch, maxItems } from "./internal/batch/batchCheck.ts"
import { isBatch, isDeletedBatch, isPage, requestCount } from "./internal/batch/batchShape.ts"
import { readResults } from "./internal/batch/resultLines.ts"
import { makeModelCheck } from "./internal/modelCheck.ts"
import { scopedSignal } from "./internal/scopedSignal.ts"
import { type Credentials, prepareCall, requestIdOf, withFreshToken } from "./internal/sdkCall.ts"
import { checkOptions, makeSdkClient, optionsFromConfig } from "./internal/sdkClient.ts"
import * as SdkFailure from "./SdkFailure.ts"

/**
 * A request of a batch, as the SDK types it: `params` is what `createMessage` takes, `custom_id` what tells its outcome from
 * those of others (1 to 64 letters, digits, underscores or hyphens, once in a batch).
 *
 * @category models
 * @since 0.1.0
 */
export type BatchItem = BatchCreateParams.Request

/**
 * The most requests that the API takes in one batch: 100,000.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxBatchItems: number = maxItems

/**
 * Says what is wrong with the requests of a batch before they are sent: none or more than {@link maxBatchItems}, one that the
 * API would refuse, a `custom_id` twice, more than 256 MB. `create` of the client asks it; `undefined` if nothing is wrong.
 *
 * **Example** (Finding an id that is used twice)
 *
 * ```ts
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import { assert } from "@effect/vitest"
 *
 * const item: ClaudeBatches.BatchItem = {
 *   custom_id: "doc-1",
 *   params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }
 * }
 *
 * assert.isUndefined(ClaudeBatches.check([item]))
 * assert.strictEqual(ClaudeBatches.check([item, item])?._tag, "InvalidRequestError")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = (items: ReadonlyArray<BatchItem>): InvalidRequestError | RequestTooLargeError | undefined =>
  checkBatch(items)

/**
 * What a `ClaudeBatches` can do. Each operation is one request of the API, but `list` and `results`.
 *
 * **Details**
 *
 * - `create`: fails with an `InvalidRequestError` or a `RequestTooLargeError` that names the `custom_id` before anything is sent;
 * - `list`: the batches of the workspace, the newest first, a page (of up to 1,000) for each request;
 * - `cancel`: what is being processed may still be finished. The batch ends soon after, and has results;
 * - `delete`: forgets a batch that has ended, and its results;
 * - `results`: the outcomes of a batch that has ended, in any order. A file that is cut short is a `StreamInterruptedError`
 *   after what had come, one that holds unreadable lines an `IncompleteResultsError`. Results that are no longer kept are a
 *   `NotFoundError`;
 * - `ledger`: what has been submitted. `BatchJob` keeps it, `create` does not look at it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaudeBatchesShape {
  readonly create: (
    items: ReadonlyArray<BatchItem>,
    options?: CallOptions
  ) => Effect.Effect<MessageBatch, ClaudeError>
  readonly retrieve: (id: string, options?: CallOptions) => Effect.Effect<MessageBatch, ClaudeError>
  readonly list: (
    options?: CallOptions & { readonly pageSize?: number | undefined }
  ) => Stream.Stream<MessageBatch, ClaudeError>
  readonly cancel: (id: string, options?: CallOptions) => Effect.Effect<MessageBatch, ClaudeError>
  readonly delete: (id: string, options?: CallOptions) => Effect.Effect<DeletedMessageBatch, ClaudeError>
  readonly results: (
    id: string,
    options?: CallOptions
  ) => Stream.Stream<BatchOutcome, ClaudeError | BatchNotEndedError | IncompleteResultsError>
  readonly ledger: BatchLedger.BatchLedger
}

/**
 * The service that a program asks for to work with message batches.
 *
 * @category services
 * @since 0.1.0
 */
export class ClaudeBatches extends Context.Service<ClaudeBatches, ClaudeBatchesShape>()(
  "@effect-claude/client/ClaudeBatches"
) {}

/**
 * The part of an SDK client that is used here.
 *
 * @category models
 * @since 0.1.0
 */
export interface SdkBatchClient extends Credentials {
  readonly messages: {
    readonly batches: Pick<Anthropic["messages"]["batches"], "create" | "retrieve" | "cancel" | "delete">
  }
  readonly get: Anthropic["get"]
}

const pathOf = (id: string): string => `/v1/messages/batches/${encodeURIComponent(id)}`

/** What the SDK's methods return. */
interface SdkAnswer<A> {
  readonly withResponse: () => Promise<{ readonly data: A; readonly response: Response }>
}

/**
 * Wraps a client of the SDK into a `ClaudeBatches`, without a layer. Its ledger is in memory unless one is given.
 *
 * **Example** (Looking at a batch)
 *
 * ```ts
 * import { Anthropic } from "@anthropic-ai/sdk"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const fetch = async () => new Response("<html>Log in to the hotel</html>", { headers: { "content-type": "text/html" } })
 * const program = Effect.gen(function*() {
 *   const batches = yield* ClaudeBatches.make(new Anthropic({ apiKey: "sk-ant-example", fetch }))
 *   return yield* Effect.flip(batches.retrieve("msgbatch_1"))
 * })
 *
 * assert.strictEqual((await Effect.runPromise(program))._tag, "InvalidResponseError")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  client: SdkBatchClient,
  options?: {
    readonly unknownModel?: UnknownModel | undefined
    readonly ledger?: BatchLedger.BatchLedger | undefined
  }
): Effect.Effect<ClaudeBatchesShape> =>
  Effect.map(
    options?.ledger === undefined ? BatchLedger.makeMemory : Effect.succeed(options.ledger),
    (ledger) => withSdk(client, options?.unknownModel ?? "warn", ledger)
  )

const withSdk = (
  client: SdkBatchClient,
  unknownModel: UnknownModel,
  ledger: BatchLedger.BatchLedger
): ClaudeBatchesShape => {
  const checkModel = makeModelCheck(unknownModel)
  const authenticated = withFreshToken(client)
  const { batches } = client.messages

  const ask = <A>(
    send: (options: Anthropic.RequestOptions) => SdkAnswer<A>,
    isExpected: (body: object) => boolean,
    call: CallOptions | undefined,
    request?: unknown
  ): Effect.Effect<A, ClaudeError> =>
    Effect.gen(function*() {
      const { context, sdkOptions } = yield* prepareCall(client, call, { request })
      const { data, response } = yield* authenticated(Effect.tryPromise({
        try: (signal) => send({ ...sdkOptions, signal }).withResponse(),
        catch: (thrown) => SdkFailure.fromThrown(thrown, context)
      }))
      const error = SdkFailure.fromResolved(data, isExpected, { ...context, requestId: requestIdOf(response) })
      return error === undefined ? data : yield* error
    })

  const retrieve: ClaudeBatchesShape["retrieve"] = (id, call) =>
    ask((options) => batches.retrieve(id, undefined, options), isBatch, call)

  return {
    retrieve,

    create: (items, call) =>
      Effect.gen(function*() {
        const error = check(items)
        if (error !== undefined) return yield* error
        yield* Effect.forEach(new Set(items.map(({ params }) => params.model)), checkModel, { discard: true })
        return yield* ask((options) => batches.create({ requests: [...items] }, options), isBatch, call, items)
      }),

    // Not with the SDK's own pages: an answer that is none of the API's looks like a page without batches there.
    list: (call) =>
      Stream.paginate(undefined as string | undefined, (after) =>
        Effect.flatMap(
          ask(
            (options) =>
              client.get<unknown>("/v1/messages/batches", {
                ...options,
                query: { limit: call?.pageSize ?? 100, ...(after === undefined ? {} : { after_id: after }) }
              }),
            isPage,
            call
          ),
          (page) => {
            const { data, has_more: hasMore } = page as { data: ReadonlyArray<MessageBatch>; has_more?: boolean }
            const last = data.at(-1)?.id
            // A gateway that does not pass on the query gives the same page forever.
            if (last !== undefined && last === after) return Effect.fail(samePage())
            return Effect.succeed(
              [data, hasMore === true && last !== undefined ? Option.some(last) : Option.none<string>()] as const
            )
          }
        )),

    cancel: (id, call) => ask((options) => batches.cancel(id, undefined, options), isBatch, call),

    delete: (id, call) => ask((options) => batches.delete(id, undefined, options), isDeletedBatch, call),

    // By the path and not by `results_url`: that one names a host, and the key is for the host the client was made for.
    results: (id, call) =>
      Stream.unwrap(Effect.gen(function*() {
        const batch = yield* retrieve(id, call)
        const missing = withoutResults(batch)
        if (missing !== undefined) return yield* missing
        const { context, sdkOptions } = yield* prepareCall(client, call, {})
        const signal = yield* scopedSignal
        const headers = { Accept: "application/binary", ...sdkOptions.headers }
        const response = yield* authenticated(Effect.tryPromise({
          try: () =>
            client.get(`${pathOf(id)}/results`, { ...sdkOptions, headers, signal, __binaryResponse: true })
              .asResponse(),
          catch: (thrown) => SdkFailure.fromThrown(thrown, context)
        }))
        return Stream.flattenIterable(Stream.fromAsyncIterable(
          readResults(response, { batchId: id, total: requestCount(batch), context }),
          (thrown) => resultsFailure(thrown, context)
        ))
      })),

    ledger
  }
}

const samePage = (): InvalidResponseError =>
  new InvalidResponseError({ message: "The list of batches does not go on: it gave the same page twice" })

const resultsFailure = (thrown: unknown, context: SdkFailure.Context): ClaudeError | IncompleteResultsError =>
  thrown instanceof IncompleteResultsError ? thrown : SdkFailure.fromThrown(thrown, { ...context, streaming: true })

const withoutResults = (batch: MessageBatch): BatchNotEndedError | NotFoundError | undefined => {
  if (batch.processing_status !== "ended") {
    return new BatchNotEndedError({
      message: `Batch ${batch.id} has not ended (${batch.processing_status}): wait for it`,
      batchId: batch.id,
      processingStatus: batch.processing_status
    })
  }
  if (batch.archived_at === null || batch.archived_at === undefined) return undefined
  return new NotFoundError({
    message: `The results of batch ${batch.id} were kept for 29 days, until ${batch.archived_at}`
  })
}

/**
 * Makes a client of the SDK from the options of `AnthropicClient.layer` and provides it as `ClaudeBatches`.
 *
 * **Example** (Pointing at another server)
 *
 * ```ts
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const Batches = Layer.unwrap(Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   return ClaudeBatches.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
 * })).pipe(Layer.provide(FakeClaudeApi.layer()))
 *
 * const program = Effect.gen(function*() {
 *   const batches = yield* ClaudeBatches.ClaudeBatches
 *   const batch = yield* batches.create([{
 *     custom_id: "greeting",
 *     params: { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }
 *   }])
 *   return (yield* batches.retrieve(batch.id)).processing_status
 * })
 *
 * assert.strictEqual(await Effect.runPromise(program.pipe(Effect.provide(Batches))), "ended")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<ClaudeBatches> => {
  checkOptions("ClaudeBatches.layer", options)
  return Layer.effect(ClaudeBatches, Effect.suspend(() => make(makeSdkClient(options), options)))
}

/**
 * Makes a client from `ANTHROPIC_API_KEY` or `ANTHROPIC_AUTH_TOKEN`, and `ANTHROPIC_BASE_URL`, by the rules of
 * `AnthropicClient.layerConfig`.
 *
 * **Example** (Reading the key from a configuration)
 *
 * ```ts
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import { assert } from "@effect/vitest"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import * as Exit from "effect/Exit"
 * import * as Layer from "effect/Layer"
 *
 * const build = (env: Record<string, string>) =>
 *   Effect.runPromiseExit(Effect.scoped(Layer.build(ClaudeBatches.layerConfig)).pipe(
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
export const layerConfig: Layer.Layer<ClaudeBatches, Config.ConfigError> = Layer.unwrap(
  Effect.map(optionsFromConfig, layer)
)

/**
 * Provides a client of the SDK that exists already. Its retries are switched off for each request; its other options stay in
 * force. With `AnthropicClient.fromClient` over the same client, both services share one.
 *
 * **Gotchas**
 *
 * The SDK's clients for Bedrock and Vertex have no batches.
 *
 * **Example** (Sharing one client)
 *
 * ```ts
 * import { Anthropic } from "@anthropic-ai/sdk"
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as Layer from "effect/Layer"
 *
 * const client = new Anthropic({ apiKey: "sk-ant-example", timeout: 60_000 })
 * const Live = Layer.merge(AnthropicClient.fromClient(client), ClaudeBatches.fromClient(client))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const fromClient = (
  client: SdkBatchClient,
  options?: { readonly unknownModel?: UnknownModel | undefined }
): Layer.Layer<ClaudeBatches> => Layer.effect(ClaudeBatches, make(client, { unknownModel: "ignore", ...options }))

/**
 * Gives the `ClaudeBatches` of a layer another ledger.
 *
 * **Example** (Remembering submissions in a KeyValueStore)
 *
 * ```ts
 * import * as BatchLedger from "@effect-claude/client/BatchLedger"
 * import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
 * import * as Layer from "effect/Layer"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 *
 * const Batches = ClaudeBatches.layerConfig.pipe(
 *   ClaudeBatches.withLedger(BatchLedger.fromKeyValueStore({ prefix: "nightly/" })),
 *   Layer.provide(KeyValueStore.layerMemory)
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const withLedger = <E2, R2>(ledger: Effect.Effect<BatchLedger.BatchLedger, E2, R2>) =>
<A, E, R>(
  base: Layer.Layer<A, E, R>
): Layer.Layer<A | ClaudeBatches, E | E2, R | Exclude<ClaudeBatches | R2, A>> =>
  Layer.provideMerge(
    Layer.effect(
      ClaudeBatches,
      Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        return { ...batches, ledger: yield* ledger }
      })
    ),
    base
  )

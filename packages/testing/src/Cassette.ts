/**
 * Records what passes between a program and the Claude API once, and replays it in tests.
 *
 * **When to use**
 *
 * For tests that shall see real answers: the prompts of an application, the parsing of what a model really said. For a
 * failure that must happen on demand, `ClaudeTest` and `FakeClaudeApi` are shorter.
 *
 * **Details**
 *
 * A cassette works at the level of HTTP, as the `fetch` of the SDK. What is replayed is what came: status, headers, every byte
 * of a stream in the same pieces, and failures of the transport under the same names and codes. A replay never uses the
 * network.
 *
 * What is stored is an allow-list. Keys, cookies and prompts are in no file unless an option says so; **answers are**, since
 * there would be nothing to replay without them. An answer may repeat what it was asked: see `answers`.
 *
 * **Example** (Replaying an answer)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 * import { tmpdir } from "node:os"
 *
 * const file = `${tmpdir()}/greeting-${process.pid}.json`
 * const greet = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Say hello" }]
 *   })
 * })
 *
 * // Once, with a key. Here it is the fake API that is recorded.
 * const Recording = Layer.unwrap(Effect.map(FakeClaudeApi.FakeClaudeApi, ({ url }) =>
 *   Cassette.layer({ file, mode: "record", client: { apiKey: Redacted.make("sk-ant-example"), baseUrl: url } })
 * )).pipe(Layer.provide([FakeClaudeApi.layer(), NodeFileSystem.layer]))
 * const recorded = await Effect.runPromise(Effect.provide(greet, Recording))
 *
 * // Ever after, without a key and without a network.
 * const Replay = Cassette.layer({ file }).pipe(Layer.provide(NodeFileSystem.layer))
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(greet, Replay)), recorded)
 * ```
 *
 * @since 0.1.0
 */
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeBatches from "@effect-claude/client/ClaudeBatches"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { CassetteError, CassetteMismatchError } from "./CassetteError.ts"
import type { Exchange } from "./CassetteFile.ts"
import { batchesWithDefects, claudeWithDefects } from "./internal/cassette/DefectiveMismatch.ts"
import { modeOf } from "./internal/cassette/Mode.ts"
import { openAuto, openRecord, openReplay, type Session } from "./internal/cassette/Session.ts"
import { checkMode, checkRecordOptions, checkReplayOptions } from "./internal/cassette/Settings.ts"

/**
 * What a cassette does with a request.
 *
 * **Details**
 *
 * - `replay`: answers it from the file. The default, and the only mode that can be relied on in CI.
 * - `record`: sends it, and writes the file anew with all that passed.
 * - `auto`: answers it from the file if it is there, else sends it and adds it to the file. Nothing is ever taken out, and a
 *   request that changed by mistake is paid for instead of reported; so it is for the desk. Where the variable `CI` is set
 *   it is `replay`.
 *
 * @category models
 * @since 0.1.0
 */
export type CassetteMode = "replay" | "record" | "auto"

/**
 * Options of a recording, which decide what is in the file.
 *
 * **Details**
 *
 * - `file`: its path; missing folders are made
 * - `fetch`: what sends the requests; the global `fetch`
 * - `prompts`: `"redact"` by default: of a request, its shape is stored, with a digest for each text, document, image, schema,
 *   tool input and result, and for every field that is not known. `"keep"` stores it as it is, keys excepted
 * - `answers`: `"keep"` by default. With `"redact"` letters and digits of texts, thoughts and tool inputs become `x`, and
 *   numbers of tool inputs 0. A function gets each text (of a stream, in one piece) and returns what is stored; it
 *   leaves names, ids, times and usage alone, and so does `"redact"`
 * - `identities`: whether the ids of organization and workspace in the headers are kept; `"redact"` by default
 * - `headers`: names of more headers to store, of requests and responses. Headers for credentials are refused
 * - `patterns`: what else must be in no file, such as e-mail addresses. Anthropic's keys, other credentials, and whatever was
 *   sent in a header that is called after one are always replaced, in answers and errors too; a number that matches is 0
 * - `secret`: makes the digests useless to those who do not have it (HMAC). Replaying needs it too
 *
 * **Gotchas**
 *
 * A digest without `secret` does not hide what can be guessed: whoever has the file can try a short prompt, a name, a number,
 * and see whether it is the one. The length of each text, names of tools, the number of turns and the settings are there to
 * read. Answers often repeat what they were asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordOptions {
  readonly file: string
  readonly fetch?: typeof globalThis.fetch | undefined
  readonly prompts?: "redact" | "keep" | undefined
  readonly answers?: "keep" | "redact" | ((text: string) => string) | undefined
  readonly identities?: "redact" | "keep" | undefined
  readonly headers?: ReadonlyArray<string> | undefined
  readonly patterns?: ReadonlyArray<RegExp> | undefined
  readonly secret?: Redacted.Redacted | undefined
}

/**
 * Options of a replay.
 *
 * **Details**
 *
 * - `file`: the path of the recording
 * - `timing`: `"none"` by default: everything is there at once. `"recorded"` waits on the `Clock` as long as it took
 * - `speed`: how much faster than recorded; 1
 * - `shiftTimes`: whether points in time in headers (`date`, a date in `retry-after`, the resets of rate limits) are moved by
 *   the age of the recording, so that what was ten seconds ahead is so again; `true`. Times in bodies stay
 * - `ignore`: fields of the body that do not count when requests are compared, such as `"metadata"` or
 *   `"messages[0].content"`; none. Nothing within what is stored as one digest, such as the schema of a tool
 * - `repeat`: whether the last answer to a request is given again when all are used up; `false`, each is for one request
 * - `strict`: whether a scope that closes without a failure dies of answers that nobody asked for, and of requests without
 *   an answer that somebody made up for; `true`
 * - `secret`: that of the recording
 * - `patterns`: those of the recording, where prompts are kept or names match
 *
 * @category models
 * @since 0.1.0
 */
export interface ReplayOptions {
  readonly file: string
  readonly timing?: "none" | "recorded" | undefined
  readonly speed?: number | undefined
  readonly shiftTimes?: boolean | undefined
  readonly ignore?: ReadonlyArray<string> | undefined
  readonly repeat?: boolean | undefined
  readonly strict?: boolean | undefined
  readonly secret?: Redacted.Redacted | undefined
  readonly patterns?: ReadonlyArray<RegExp> | undefined
}

/**
 * Options of {@link make}. `mode` decides over what the environment says; without both it is `replay`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends RecordOptions, ReplayOptions {
  readonly mode?: CassetteMode | undefined
}

/**
 * Options of {@link layer}.
 *
 * **Details**
 *
 * `client` is for the client that the requests are made with, as `AnthropicClient.layer` takes them; its `sdk.fetch` sends
 * them unless there is another `fetch`. A replay needs no credentials and looks for none.
 *
 * @category models
 * @since 0.1.0
 */
export interface LayerOptions extends Options {
  readonly client?: AnthropicClient.Options | undefined
}

/**
 * What a cassette can do and knows.
 *
 * **Details**
 *
 * - `fetch`: for the SDK, or for any other client that takes one
 * - `exchanges`: what is on it by now, as it is or will be in the file
 * - `unused`: what nobody has asked for yet. Nothing while recording
 * - `mismatches`: requests that had no answer
 *
 * @category models
 * @since 0.1.0
 */
export interface CassetteShape {
  readonly mode: CassetteMode
  readonly file: string
  readonly fetch: typeof globalThis.fetch
  readonly exchanges: Effect.Effect<ReadonlyArray<Exchange>>
  readonly unused: Effect.Effect<ReadonlyArray<Exchange>>
  readonly mismatches: Effect.Effect<ReadonlyArray<CassetteMismatchError>>
}

/**
 * Shows the cassette that a test runs on. Provided by {@link layer} beside the services.
 *
 * @category services
 * @since 0.1.0
 */
export class Cassette extends Context.Service<Cassette, CassetteShape>()("@effect-claude/testing/Cassette") {}

const shapeOf = ({ shape }: Session): CassetteShape => shape

/**
 * Starts a recording: what passes through its `fetch` is in the file when the scope closes.
 *
 * **Details**
 *
 * The file is written as a whole or not at all, and also when the scope closes because of a failure or an interrupt; what is
 * under way then counts as given up. A file that was there before is replaced. Fails with a `CassetteError` if the folder
 * cannot be made; a file that cannot be written in the end is a defect.
 *
 * **Gotchas**
 *
 * Everything is in memory until then. Throws a `RangeError` for wrong options.
 *
 * **Example** (Recording a client of one's own)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { tmpdir } from "node:os"
 *
 * const program = Effect.gen(function*() {
 *   const cassette = yield* Cassette.record({
 *     file: `${tmpdir()}/recording-${process.pid}.json`,
 *     fetch: async () => Response.json({ type: "message" })
 *   })
 *   yield* Effect.promise(async () => {
 *     const response = await cassette.fetch("https://api.anthropic.com/v1/messages", { method: "POST", body: "{}" })
 *     await response.json()
 *   })
 *   return (yield* cassette.exchanges).map(({ request }) => request.path)
 * }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
 *
 * assert.deepStrictEqual(await Effect.runPromise(program), ["/v1/messages"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const record = (
  options: RecordOptions
): Effect.Effect<CassetteShape, CassetteError, FileSystem.FileSystem | Scope.Scope> => {
  checkRecordOptions("Cassette.record", options)
  return Effect.map(openRecord(options), shapeOf)
}

/**
 * Starts a replay: its `fetch` answers from the file, and from nothing else.
 *
 * **Details**
 *
 * Requests are compared by method, path with query, and body, the order of its fields aside; headers do not count. Of
 * exchanges with the same request, each answers once, in the order of the recording. A request without an answer is
 * rejected with a `CassetteMismatchError` that names the nearest one and the first field that differs.
 *
 * Where the recorded caller gave up, this one waits as well: its own timeout decides. Should it have none, it is told
 * after a tenth more of the time, and a second, that the recording goes no further.
 *
 * **Gotchas**
 *
 * The SDK repeats a rejected `fetch` twice unless its `maxRetries` is 0. Throws a `RangeError` for wrong options.
 *
 * **Example** (Learning which request has no answer)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import { tmpdir } from "node:os"
 *
 * const file = `${tmpdir()}/replay-${process.pid}.json`
 * const ask = (fetch: typeof globalThis.fetch, model: string) =>
 *   Effect.promise(async () => {
 *     const body = JSON.stringify({ model, max_tokens: 10, messages: [] })
 *     const response = await fetch("https://api.anthropic.com/v1/messages", { method: "POST", body })
 *     return response.status
 *   })
 * const recording = Effect.gen(function*() {
 *   const cassette = yield* Cassette.record({ file, fetch: async () => new Response("", { status: 529 }) })
 *   yield* ask(cassette.fetch, "claude-opus-5-5")
 * })
 * const replaying = Effect.gen(function*() {
 *   const cassette = yield* Cassette.replay({ file, strict: false })
 *   assert.strictEqual(yield* ask(cassette.fetch, "claude-opus-5-5"), 529)
 *   yield* Effect.exit(ask(cassette.fetch, "claude-haiku-5-5"))
 *   return (yield* cassette.mismatches).map(({ difference }) => difference)
 * })
 *
 * const program = Effect.andThen(Effect.scoped(recording), Effect.scoped(replaying))
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(program, NodeFileSystem.layer)), ["model"])
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const replay = (
  options: ReplayOptions
): Effect.Effect<CassetteShape, CassetteError, FileSystem.FileSystem | Scope.Scope> => {
  checkReplayOptions("Cassette.replay", options)
  return Effect.map(openReplay(options), shapeOf)
}

const open = (
  options: LayerOptions
): Effect.Effect<Session, CassetteError | Config.ConfigError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.flatMap(modeOf(options.mode), (mode): Effect.Effect<
    Session,
    CassetteError,
    FileSystem.FileSystem | Scope.Scope
  > => {
    const fallback = options.client?.sdk?.fetch
    const fetch: typeof globalThis.fetch | undefined = fallback === undefined
      ? undefined
      : (input, init) => fallback(input, init)
    switch (mode) {
      case "replay":
        return openReplay(options)
      case "record":
        return openRecord(options, fetch)
      case "auto":
        return openAuto(options, fetch)
    }
  })

const check = (owner: string, options: Options): void => {
  checkMode(owner, options.mode)
  checkRecordOptions(owner, options)
  checkReplayOptions(owner, options)
}

/**
 * Records or replays, as `mode` or the variable `CASSETTE_MODE` says; without either it replays.
 *
 * **Details**
 *
 * Fails with a `ConfigError` if the variable is none of the modes.
 *
 * **Example** (Letting the environment decide)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import { assert } from "@effect/vitest"
 * import * as ConfigProvider from "effect/ConfigProvider"
 * import * as Effect from "effect/Effect"
 * import { tmpdir } from "node:os"
 *
 * const program = Effect.map(Cassette.make({ file: `${tmpdir()}/make-${process.pid}.json` }), ({ mode }) => mode).pipe(
 *   Effect.scoped,
 *   Effect.provide([
 *     NodeFileSystem.layer,
 *     ConfigProvider.layer(ConfigProvider.fromUnknown({ CASSETTE_MODE: "record" }))
 *   ])
 * )
 *
 * assert.strictEqual(await Effect.runPromise(program), "record")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options
): Effect.Effect<CassetteShape, CassetteError | Config.ConfigError, FileSystem.FileSystem | Scope.Scope> => {
  check("Cassette.make", options)
  return Effect.map(open(options), shapeOf)
}

const placeholder = Redacted.make("sk-ant-nothing-is-sent")

const clientOptions = ({ client = {} }: LayerOptions, { fetch, mode }: CassetteShape): AnthropicClient.Options => {
  const hasCredentials = client.apiKey !== undefined
    || client.authToken !== undefined
    || (client.sdk?.credentials !== undefined && client.sdk.credentials !== null)
  return {
    ...client,
    ...(mode === "replay" && !hasCredentials ? { apiKey: placeholder } : undefined),
    sdk: { ...client.sdk, fetch }
  }
}

/**
 * Provides `ClaudeService` and `ClaudeBatches` that talk through a cassette, and the {@link Cassette}.
 *
 * **When to use**
 *
 * Put the layers that you want to test around it, as around `AnthropicClient.layer`.
 *
 * **Details**
 *
 * Two attempts that were recorded are two attempts when they are replayed. A request without an answer is a defect: no retry
 * and no fallback hides it.
 *
 * **Gotchas**
 *
 * Several tests that share one build share its answers and their order. Throws a `RangeError` for wrong options.
 *
 * **Example** (Testing a pipeline on what was recorded)
 *
 * ```ts
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = Cassette.layer({ file: "test/cassettes/not-recorded-yet.json" }).pipe(
 *   ClaudeLayer.standard(),
 *   Layer.provide(NodeFileSystem.layer)
 * )
 * const program = Effect.provide(Effect.asVoid(ClaudeService), Claude)
 *
 * const error = await Effect.runPromise(Effect.flip(program))
 * assert.match(error.message, /Record it once against the real API: set CASSETTE_MODE=record/)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: LayerOptions
): Layer.Layer<
  Cassette | ClaudeService | ClaudeBatches.ClaudeBatches,
  CassetteError | Config.ConfigError,
  FileSystem.FileSystem
> => {
  check("Cassette.layer", options)
  return Layer.effectContext(Effect.gen(function*() {
    const { findMismatch, shape } = yield* open(options)
    const client = clientOptions(options, shape)
    const context = yield* Layer.build(Layer.merge(AnthropicClient.layer(client), ClaudeBatches.layer(client)))
    return Context.make(Cassette, shape).pipe(
      Context.add(ClaudeService, claudeWithDefects(Context.get(context, ClaudeService), findMismatch)),
      Context.add(
        ClaudeBatches.ClaudeBatches,
        batchesWithDefects(Context.get(context, ClaudeBatches.ClaudeBatches), findMismatch)
      )
    )
  }))
}

/**
 * {@link layer} that records, whatever the environment says.
 *
 * **Example** (Recording with prompts that may be read)
 *
 * ```ts no-run
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = Cassette.layerRecord({ file: "test/cassettes/greeting.json", prompts: "keep" }).pipe(
 *   Layer.provide(NodeFileSystem.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRecord = (options: Omit<LayerOptions, "mode">): ReturnType<typeof layer> =>
  layer({ ...options, mode: "record" })

/**
 * {@link layer} that replays, whatever the environment says.
 *
 * **Example** (Replaying at ten times the speed)
 *
 * ```ts no-run
 * import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
 * import * as Cassette from "@effect-claude/testing/Cassette"
 * import * as Layer from "effect/Layer"
 *
 * const Claude = Cassette.layerReplay({ file: "test/cassettes/greeting.json", timing: "recorded", speed: 10 }).pipe(
 *   Layer.provide(NodeFileSystem.layer)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerReplay = (options: Omit<LayerOptions, "mode">): ReturnType<typeof layer> =>
  layer({ ...options, mode: "replay" })

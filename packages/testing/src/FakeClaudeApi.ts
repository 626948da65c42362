/**
 * A Claude API on this machine, for tests and demonstrations, that answers as the real one does and fails as its fault plan
 * says: an HTTP server on loopback, or a `fetch` in memory that runs on the clock of a test.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as FaultPlan from "./FaultPlan.ts"
import type { Connection } from "./internal/fake/Connection.ts"
import { ControlEndpoint, isControl } from "./internal/fake/control/ControlEndpoint.ts"
import type { FakeApi } from "./internal/fake/FakeApi.ts"
import * as Journal from "./internal/fake/Journal.ts"
import * as MemoryServer from "./internal/fake/memory/MemoryServer.ts"
import { transportMistake } from "./internal/fake/Reachability.ts"
import type * as RequestLog from "./internal/fake/RequestLog.ts"
import { liveClock, ServerClock } from "./internal/fake/ServerClock.ts"
import * as Certificate from "./internal/fake/socket/Certificate.ts"
import * as SocketServer from "./internal/fake/socket/SocketServer.ts"
import { idProblems, Spaces } from "./internal/fake/space/Spaces.ts"

/**
 * Describes a request that reached the server.
 *
 * **Details**
 *
 * - `number`: 1 for the first request that arrived whole, and so on; a request is in the list from then on, or from
 *   the moment its connection closed before that.
 * - `requestId`: the `request-id` it was answered with; unique in a server.
 * - `headers`: names in lower case; the values of `x-api-key`, `authorization`, `proxy-authorization` and `cookie` are
 *   replaced by `<redacted>`.
 * - `body`: the parsed JSON, the text if it is no JSON, `undefined` if there is none or it is above 32 MB.
 * - `receivedAt`, `endedAt`: milliseconds since 1970 with a fraction, on the clock of the server; `receivedAt` is the
 *   arrival of the headers.
 * - `status`: the status that was sent, if any.
 * - `did`: what the server did with it, in words, such as `error 529 overloaded_error` or `message, reset after 4 events`.
 * - `bytesSent`: how much of a body it sent.
 * - `outcome`: `pending` until the exchange is over; then `answered` when all of the answer left, `clientClosed` when the
 *   client closed the connection before, `cut` when the server broke it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordedRequest extends RequestLog.RecordedRequest {}

/**
 * A request and its answer in a form that compares: with another run, or with the same calls on another transport.
 *
 * **Details**
 *
 * It has the fields of {@link RecordedRequest} but for headers and request id, the `model`, and in place of the body a digest
 * of it, so that it can be printed and kept. Times are only there when they are those of a test's clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface JournalEntry extends Journal.JournalEntry {}

/**
 * What a running fake API offers, the whole server or a space of it.
 *
 * **Details**
 *
 * - `url`: the base URL to give to a client, such as `http://127.0.0.1:49152`.
 * - `requests`: what has arrived so far, whatever its path.
 * - `journal`: the same in a form that compares. See {@link comparable} for concurrent callers.
 * - `certificate`: with `tls`, what a client has to trust, in PEM.
 * - `openConnections`: the number of TCP connections that are open, those a client keeps in its pool included.
 * - `setPlan`: starts another plan at its first step. Requests in progress and the records are left alone. A wrong plan is
 *   a `RangeError` as a defect.
 * - `clearRequests`: forgets the records; numbers and request ids go on.
 * - `takeEnded`: waits until a request is over, and takes those that are out of the records.
 * - `awaitRequests`: waits until as many requests have arrived, and returns all there are.
 * - `awaitEnded`: waits until as many requests are over, and returns all there are.
 * - `awaitClosed`: waits until no connection is open.
 * - `isolated`: begins a space of its own on the same server, which ends with the scope. See {@link IsolatedOptions}.
 *
 * @category models
 * @since 0.1.0
 */
export interface FakeClaudeApiShape {
  readonly url: string
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly journal: Effect.Effect<ReadonlyArray<JournalEntry>>
  readonly certificate?: string | undefined
  readonly openConnections: Effect.Effect<number>
  readonly setPlan: (plan: FaultPlan.FaultPlanInput) => Effect.Effect<void>
  readonly clearRequests: Effect.Effect<void>
  readonly takeEnded: Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly awaitRequests: (count: number) => Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly awaitEnded: (count: number) => Effect.Effect<ReadonlyArray<RecordedRequest>>
  readonly awaitClosed: Effect.Effect<void>
  readonly isolated: (
    options?: IsolatedOptions
  ) => Effect.Effect<FakeClaudeApiShape, never, Scope.Scope>
}

/**
 * Controls a running fake API and shows what reached it, as {@link FakeClaudeApiShape} says.
 *
 * **Gotchas**
 *
 * A server on a socket is a machine of its own: its delays pass in real time, under `TestClock` too, unless it was started with
 * `clock: "caller"`. Waiting for it belongs into
 * `it.live`, or under `TestClock.withLive`.
 *
 * **Example** (Counting the attempts of a client)
 *
 * ```ts
 * import Anthropic from "@anthropic-ai/sdk"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultPlan from "@effect-claude/testing/FaultPlan"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   const client = new Anthropic({ apiKey: "key", baseURL: api.url })
 *   yield* Effect.promise(() =>
 *     client.messages.create({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     })
 *   )
 *   const requests = yield* api.awaitEnded(2)
 *   assert.deepStrictEqual(requests.map(({ status }) => status), [500, 200])
 * })
 *
 * const plan = FaultPlan.make({ steps: [FaultStep.internalServer()] })
 *
 * await Effect.runPromise(Effect.provide(program, FakeClaudeApi.layer({ plan })))
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class FakeClaudeApi extends Context.Service<FakeClaudeApi, FakeClaudeApiShape>()(
  "@effect-claude/testing/FakeClaudeApi"
) {}

/**
 * Reports that the server could not listen on its port, most often because another process does.
 *
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends Schema.TaggedError<ListenError>("@effect-claude/testing/FakeClaudeApi/ListenError")(
  "ListenError",
  { message: Schema.String, port: Schema.Int, cause: Schema.Defect() }
) {}

/**
 * States how a fake API starts.
 *
 * **Details**
 *
 * - `port`: where it listens on 127.0.0.1 [0, any free one].
 * - `plan`: what it does with its requests [no faults].
 * - `control`: whether programs in any language can program it over HTTP, under `/_control` [false]. Requests from a web page are
 *   refused. `docs/fake-api.md` describes the endpoint.
 * - `tls`: whether it speaks HTTPS, with a certificate that it signed itself [false]. A client fails with
 *   `DEPTH_ZERO_SELF_SIGNED_CERT` unless it trusts `certificate`, which is for `localhost` and `127.0.0.1`.
 * - `clock`: whether its time is real, or that of the fiber that starts it, such as a `TestClock` [`live`].
 * - `onEnded`: is called for each request that is over, with the id of its space if it was for one. It has to return at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly port?: number | undefined
  readonly plan?: FaultPlan.FaultPlanInput | undefined
  readonly control?: boolean | undefined
  readonly tls?: boolean | undefined
  readonly clock?: "live" | "caller" | undefined
  readonly onEnded?: ((request: RecordedRequest, space: string | undefined) => void) | undefined
}

/**
 * States how a space of a fake API begins: with which `plan` [no faults], and under which `id` [a number].
 *
 * **Details**
 *
 * A space is a fake API of its own behind a path of the server's URL, so that any number of tests can share one server. It has its
 * own plan, records, request numbers, batches, rate limits and capacity. Its `url` is the base URL for a client.
 * Requests for a space that there is not are a 404 that says so.
 *
 * When the scope ends, the requests in progress in the space are broken, and no others.
 *
 * **Gotchas**
 *
 * A connection that is idle belongs to no space: its `openConnections` are those with a request in progress.
 *
 * An `id` is at most 100 letters, digits and characters of `._-`, the first of them a letter or digit, and one space at a time has it. Otherwise, as with a wrong plan, `isolated`
 * dies with a `RangeError`.
 *
 * **Example** (Two tests at once on one server)
 *
 * ```ts
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const statusOf = (url: string) =>
 *   Effect.promise(async () => {
 *     const body = { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }
 *     const headers = { "x-api-key": "key" }
 *     const response = await fetch(`${url}/v1/messages`, { method: "POST", headers, body: JSON.stringify(body) })
 *     return response.status
 *   })
 *
 * const program = Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   const one = yield* api.isolated({ plan: { after: FaultStep.overloaded() } })
 *   const other = yield* api.isolated()
 *   const statuses = yield* Effect.all([statusOf(one.url), statusOf(other.url)], { concurrency: 2 })
 *   assert.deepStrictEqual(statuses, [529, 200])
 *   assert.strictEqual((yield* one.requests).length, 1)
 *   assert.strictEqual((yield* api.requests).length, 0)
 * })
 *
 * await Effect.runPromise(Effect.provide(Effect.scoped(program), FakeClaudeApi.layer()))
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface IsolatedOptions {
  readonly plan?: FaultPlan.FaultPlanInput | undefined
  readonly id?: string | undefined
}

/**
 * Starts a fake Claude API on 127.0.0.1 that stops with the scope.
 *
 * **Details**
 *
 * It speaks `POST /v1/messages`, as JSON and as server-sent events, `POST /v1/messages/count_tokens`, and message batches:
 * they end by themselves, are there until the server stops, and take the steps of `batches` in the plan. Another path
 * gets a 404, another method a 405, and neither takes a step of the plan. Token counts are estimated at four bytes a
 * token. The `anthropic-ratelimit-*` headers follow the plan's `rateLimits`. Without them they report limits that are
 * never enforced, and so generous that a client that follows them is not slowed down.
 *
 * Leaving the scope breaks every connection, stalled ones too. Fails with a `ListenError` if the port is taken.
 *
 * **Gotchas**
 *
 * Throws a `RangeError` for a port that is no whole number from 0 to 65535, and for a plan that `FaultPlan.make` refuses.
 *
 * **Example** (Running a server for one program)
 *
 * ```ts
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.make()
 *   const response = yield* Effect.promise(() => fetch(`${api.url}/v1/messages`, { method: "POST" }))
 *   assert.strictEqual(response.status, 401)
 * }))
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<FakeClaudeApiShape, ListenError, Scope.Scope> => {
  const { port = 0 } = options
  const plan = FaultPlan.make(options.plan ?? FaultPlan.healthy)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`FakeClaudeApi.make: port: Expected a whole number from 0 to 65535, got ${port}`)
  }
  const transport = options.tls === true ? "tls" : "socket"
  const mistake = transportMistake(plan, transport)
  if (mistake !== undefined) throw new RangeError(`FakeClaudeApi.make: plan: ${mistake}`)
  return Effect.gen(function*() {
    // The server stands for another machine: its delays pass in real time, whatever clock a test sets.
    const clock = options.clock === "caller" ? yield* Clock.Clock : liveClock
    const spaces = new Spaces(plan, { clock: new ServerClock(clock), transport, onEnded: options.onEnded })
    const certificate = options.tls === true ? Certificate.selfSigned() : undefined
    const tls = certificate && { certificate, takeFailure: () => spaces.shared.takeConnectFailure() }
    const control = new ControlEndpoint(spaces, () => server)
    const answer = (connection: Connection) =>
      options.control === true && isControl(connection) ? control.answer(connection) : spaces.answer(connection)
    const server: SocketServer.SocketServer = yield* Effect.mapError(
      SocketServer.make({ port, clock, tls, answer }),
      ({ cause }) =>
        new ListenError({ message: `The fake Claude API cannot listen on port ${port}${reason(cause)}`, port, cause })
    )
    const service = serviceOf(spaces, spaces.shared, server)
    return certificate === undefined ? service : { ...service, certificate: certificate.cert }
  })
}

/** The system's word for it, such as `EADDRINUSE`, where there is one. */
const reason = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? ` (${cause.code})` : ""

const serviceOf = (spaces: Spaces, api: FakeApi, server: SocketServer.SocketServer): FakeClaudeApiShape => {
  const { log } = api
  const requests = Effect.sync(() => log.snapshot())
  return {
    url: server.url,
    requests,
    journal: Effect.sync(() => api.journal),
    openConnections: Effect.sync(server.openConnections),
    setPlan: (plan) => Effect.sync(() => api.setPlan(FaultPlan.make(plan))),
    clearRequests: Effect.sync(() => log.clear()),
    takeEnded: Effect.map(log.awaitUntil(() => log.endedCount > 0), () => log.takeEnded()),
    awaitRequests: (count) => Effect.andThen(log.awaitUntil(() => log.count >= count), requests),
    awaitEnded: (count) => Effect.andThen(log.awaitUntil(() => log.endedCount >= count), requests),
    awaitClosed: server.awaitClosed,
    isolated: isolate(spaces, server.url)
  }
}

const isolate = (spaces: Spaces, url: string): FakeClaudeApiShape["isolated"] => ({ id, plan } = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const space = spaces.begin(FaultPlan.make(plan ?? FaultPlan.healthy), id)
      if (typeof space !== "string") return space
      throw new RangeError(`FakeClaudeApi.isolated: id: ${idProblems[space]}, got ${JSON.stringify(id)}`)
    }),
    (space) => Effect.sync(() => spaces.end(space))
  ).pipe(Effect.map((space) => {
    const service = serviceOf(spaces, space.api, {
      url: `${url}${space.path}`,
      openConnections: () => space.openConnections(),
      awaitClosed: space.awaitClosed
    })
    return { ...service, isolated: isolate(spaces, url) }
  }))

/**
 * Provides a fake Claude API that runs as long as the layer.
 *
 * **When to use**
 *
 * Use when several tests or a whole program share a server; `make` starts one inside an effect.
 *
 * **Example** (Asking a server for its address)
 *
 * ```ts
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const url = Effect.map(Effect.service(FakeClaudeApi.FakeClaudeApi), (api) => api.url)
 *
 * assert.match(await Effect.runPromise(Effect.provide(url, FakeClaudeApi.layer())), /^http:\/\/127\.0\.0\.1:\d+$/)
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<FakeClaudeApi, ListenError> =>
  Layer.effect(FakeClaudeApi, make(options))

/**
 * A journal without what depends on the order in which requests arrived (numbers, times), and in an order of its own.
 *
 * **When to use**
 *
 * Use when callers are concurrent: which of them arrives first is chance on a socket, what they get with the same plan and
 * seed is not.
 *
 * **Example** (Comparing two runs)
 *
 * ```ts
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const plan = { seed: "a", outages: [{ from: 0, share: 0.5, step: FaultStep.overloaded() }] }
 *
 * const run = Effect.scoped(Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.makeInMemory({ plan })
 *   const ask = (content: string) =>
 *     Effect.promise(() =>
 *       api.fetch(`${api.url}/v1/messages`, {
 *         method: "POST",
 *         headers: { "x-api-key": "key" },
 *         body: JSON.stringify({ model: "claude-sonnet-5-5", max_tokens: 10, messages: [{ role: "user", content }] })
 *       })
 *     )
 *   yield* Effect.all(["one", "two", "three", "four"].map(ask), { concurrency: "unbounded" })
 *   return FakeClaudeApi.comparable(yield* api.journal)
 * }))
 *
 * assert.deepStrictEqual(await Effect.runPromise(run), await Effect.runPromise(run))
 * ```
 *
 * @category journal
 * @since 0.1.0
 */
export const comparable = (
  journal: ReadonlyArray<JournalEntry>
): ReadonlyArray<Omit<JournalEntry, "number" | "receivedAt" | "endedAt">> => Journal.comparable(journal)

/**
 * The service of a fake API in memory: all of {@link FakeClaudeApi}, and `fetch`, by which it and its spaces are reached.
 *
 * **Details**
 *
 * `fetch` stands in for the global one: a client that takes a `fetch` sees the same answers and the same errors as on a socket,
 * with their causes and codes as Node's `fetch` has them. It answers requests to any host, so that a client needs no other base
 * URL; nothing reaches the network. `url` is one that leads nowhere without this `fetch`.
 *
 * @category models
 * @since 0.1.0
 */
export interface InMemory extends FakeClaudeApiShape {
  readonly fetch: typeof globalThis.fetch
}

/**
 * The tag of a fake API in memory, for its `fetch`. `layerInMemory` provides it along with {@link FakeClaudeApi}.
 *
 * @category services
 * @since 0.1.0
 */
export class InMemoryApi extends Context.Service<InMemoryApi, InMemory>()(
  "@effect-claude/testing/FakeClaudeApi/InMemoryApi"
) {}

/**
 * States how a fake API in memory starts: with which `plan` [no faults], and what is called for each request that is over.
 *
 * @category models
 * @since 0.1.0
 */
export interface InMemoryOptions extends Pick<Options, "plan" | "onEnded"> {}

/**
 * Starts a fake Claude API in memory that stops with the scope. It answers as one on a socket does.
 *
 * **When to use**
 *
 * Use in tests with a `TestClock`: the time of this API is that of the fiber that starts it, so that an hour of outage takes
 * no time. One on a socket, with `make`, is for programs in other processes, and for a client that takes no `fetch`.
 *
 * **Details**
 *
 * A client is as patient as Node's `fetch`: it waits 300 seconds for headers and as long for the next bytes of a body. A step
 * `unreachable` makes it fail before anything arrives. Each request has a connection of its own that closes with it. Up to
 * 256 KB of a body wait for a client that does not read; after that the server waits.
 *
 * **Gotchas**
 *
 * The client's promises take turns of the event loop, so that one `TestClock.adjust` may not be enough; `VirtualTime.run` moves
 * the clock as it is needed. Redirects are not followed, and a body with a `content-encoding` is not decoded.
 *
 * Throws a `RangeError` for a plan that `FaultPlan.make` refuses.
 *
 * **Example** (Waiting an hour for nothing)
 *
 * ```ts
 * import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
 * import * as FaultStep from "@effect-claude/testing/FaultStep"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { assert } from "@effect/vitest"
 * import * as Clock from "effect/Clock"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const program = Effect.gen(function*() {
 *   const api = yield* FakeClaudeApi.makeInMemory({
 *     plan: { outages: [{ from: 0, to: "1 hour", step: FaultStep.overloaded({ retryAfter: "15 minutes" }) }] }
 *   })
 *   const Claude = AnthropicClient.layer({ apiKey: Redacted.make("key"), sdk: { fetch: api.fetch } }).pipe(
 *     ClaudeLayer.withRetry(ClaudeSchedule.make({ attempts: 10, maxWait: "1 hour" }))
 *   )
 *   const answer = Effect.flatMap(Effect.service(ClaudeService), (claude) =>
 *     claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     }))
 *   yield* Effect.provide(answer, Claude)
 *   assert.isAtLeast(yield* Clock.currentTimeMillis, 3_600_000)
 * })
 *
 * await Effect.runPromise(VirtualTime.run(Effect.scoped(program)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeInMemory = (options: InMemoryOptions = {}): Effect.Effect<InMemory, never, Scope.Scope> => {
  const plan = FaultPlan.make(options.plan ?? FaultPlan.healthy)
  return Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const spaces = new Spaces(plan, {
      clock: new ServerClock(clock),
      transport: "memory",
      onEnded: options.onEnded
    })
    const server = yield* MemoryServer.make({ clock, answer: (connection) => spaces.answer(connection) })
    return { ...serviceOf(spaces, spaces.shared, { ...server, url: inMemoryUrl }), fetch: server.fetch }
  })
}

// A name that is never resolved, should it be used without the `fetch`.
const inMemoryUrl = "http://fake-claude-api.invalid"

/**
 * Provides a fake Claude API in memory that runs as long as the layer.
 *
 * **Example** (A client over a layer)
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
 * const Claude = Layer.unwrap(Effect.map(
 *   Effect.service(FakeClaudeApi.InMemoryApi),
 *   ({ fetch }) => AnthropicClient.layer({ apiKey: Redacted.make("key"), sdk: { fetch } })
 * )).pipe(Layer.provideMerge(FakeClaudeApi.layerInMemory()))
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   const api = yield* FakeClaudeApi.FakeClaudeApi
 *   assert.strictEqual((yield* api.requests).length, 1)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Claude))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerInMemory = (options: InMemoryOptions = {}): Layer.Layer<FakeClaudeApi | InMemoryApi> =>
  Layer.effectContext(
    Effect.map(makeInMemory(options), (api) => Context.make(FakeClaudeApi, api).pipe(Context.add(InMemoryApi, api)))
  )

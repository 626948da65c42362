import { Anthropic } from "@anthropic-ai/sdk"
import * as BatchJob from "@effect-claude/client/BatchJob"
import { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Cassette from "@effect-claude/testing/Cassette"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { apiKey, quickPipeline, request } from "../wire/support.ts"
import { chain, recordingOf, seen, withFile } from "./support.ts"

type Services = Cassette.Cassette | ClaudeService | ClaudeBatches

/** What a program sees of a fake API with this plan, and of a replay of that. */
const bothTimes = <A>(
  plan: FaultPlan.FaultPlanInput,
  program: Effect.Effect<A, unknown, Services>,
  options: Partial<Cassette.LayerOptions> = {}
) =>
  withFile((file) =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan })
      const client = { ...options.client, apiKey: Redacted.make(apiKey), baseUrl: api.url }
      const recorded = yield* Effect.provide(program, Cassette.layerRecord({ ...options, file, client }))
      const sent = (yield* api.requests).length
      const replayed = yield* Effect.provide(
        program,
        Cassette.layerReplay({ shiftTimes: false, ...options, file })
      )
      assert.strictEqual((yield* api.requests).length, sent)
      return { recorded, replayed, recording: yield* recordingOf(file), sent }
    }).pipe(Effect.orDie)
  )

/** Every field of an error, the hidden ones too. */
const factsOf = (error: ClaudeError) => ({
  fields: Object.entries(error),
  name: error.name,
  message: error.message,
  verdict: error.verdict,
  cause: chain(error.cause)
})

const outcome = <A>(effect: Effect.Effect<A, ClaudeError>) =>
  Effect.map(Effect.result(effect), Result.mapError(factsOf))

const operations: Readonly<Record<string, (claude: ClaudeServiceShape) => Effect.Effect<unknown>>> = {
  createMessage: (claude) => outcome(claude.createMessage(request)),
  // With the events that came before a failure.
  streamMessage: (claude) =>
    Effect.gen(function*() {
      const events: Array<unknown> = []
      const end = yield* outcome(Stream.runForEach(claude.streamMessage(request), (event) =>
        Effect.sync(() => {
          events.push(event)
        })))
      return { events, end }
    }),
  countTokens: (claude) => outcome(claude.countTokens({ model: request.model, messages: request.messages }))
}

const everything = Effect.gen(function*() {
  const claude = yield* ClaudeService
  return yield* Effect.all(Object.values(operations).map((operation) => operation(claude)))
})

const html = "<html><title>502 Bad Gateway</title></html>"

const plans: ReadonlyArray<readonly [string, FaultStep.FaultStep]> = [
  ["health", FaultStep.message({ text: "Grüße aus 東京 🎉" })],
  ["pieces of seven bytes", FaultStep.message({ text: "Grüße aus 東京 🎉", chunkBytes: 7 })],
  ["a rate limit", FaultStep.rateLimit({ retryAfter: "12 seconds" })],
  ["an overload", FaultStep.overloaded()],
  ["a spend limit", FaultStep.spendLimit()],
  ["a request that is refused", FaultStep.invalidRequest()],
  ["a wrong key", FaultStep.authentication()],
  ["a request that is too large", FaultStep.requestTooLarge()],
  ["a page of a proxy", FaultStep.htmlBadGateway()],
  ["a page with a 200", FaultStep.response({ status: 200, contentType: "text/html", body: html })],
  ["an empty body", FaultStep.emptyBody()],
  ["broken JSON", FaultStep.invalidJson()],
  ["a reset", FaultStep.reset()],
  ["a connection that is closed", FaultStep.closed()],
  ["what is no HTTP", FaultStep.disconnect({ how: "garbage" })],
  ["a reset in the body", FaultStep.message({ interrupt: { how: "reset", afterEvents: 4 } })],
  [
    "a reset within a character",
    FaultStep.message({ text: "ééééééééé", interrupt: { how: "reset", afterBytes: 601 } })
  ],
  ["an end without message_stop", FaultStep.endWithoutStop()],
  ["an error in mid-stream", FaultStep.midStreamError({ error: { type: "overloaded_error" } })],
  ["an event that is malformed", FaultStep.malformedEvent()],
  ["a refusal", FaultStep.refusal()],
  [
    "a tool whose input was cut",
    FaultStep.truncatedToolInput({ name: "run", input: { path: "/etc/x" }, afterCharacters: 6 })
  ]
]

describe("what is replayed is what was recorded", () => {
  for (const [name, step] of plans) {
    it.live(name, () =>
      Effect.gen(function*() {
        const { recorded, recording, replayed, sent } = yield* bothTimes({ after: step }, everything)
        assert.strictEqual(recording.exchanges.length, sent)
        assert.strictEqual(sent, 3)
        assert.deepStrictEqual(replayed, recorded)
      }))
  }

  it.live("byte for byte, through a fetch of one's own", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make({
          plan: { after: FaultStep.message({ text: "Grüße 🎉", chunkBytes: 5, insert: [{ kind: "ping" }] }) }
        })
        const ask = (fetch: typeof globalThis.fetch) =>
          Effect.promise(() =>
            seen(() =>
              fetch(`${api.url}/v1/messages`, {
                method: "POST",
                headers: { "x-api-key": apiKey },
                body: JSON.stringify({ ...request, stream: true })
              })
            )
          )
        const recorded = yield* Effect.scoped(
          Effect.flatMap(Cassette.record({ file, identities: "keep" }), ({ fetch }) => ask(fetch))
        )
        const replayed = yield* Effect.scoped(
          Effect.flatMap(Cassette.replay({ file, shiftTimes: false }), ({ fetch }) => ask(fetch))
        )
        assert.isAbove("chunks" in recorded ? recorded.chunks?.length ?? 0 : 0, 20)
        const { connection: _, "keep-alive": __, "transfer-encoding": ___, ...headers } = "headers" in recorded
          ? recorded.headers ?? {}
          : {}
        assert.deepStrictEqual(replayed, { ...recorded, headers })
      }).pipe(Effect.orDie)
    ))

  it.live("the official SDK sees the same", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make({
          plan: { steps: [FaultStep.overloaded(), FaultStep.message({}), FaultStep.cutStream({ afterEvents: 4 })] }
        })
        const program = ({ fetch }: Cassette.CassetteShape) =>
          Effect.promise(async () => {
            const client = new Anthropic({ apiKey, baseURL: api.url, maxRetries: 0, fetch })
            const attempt = (call: () => PromiseLike<unknown>) =>
              Promise.resolve().then(call).catch((error: Error & { status?: number; type?: string }) => ({
                class: error.constructor.name,
                status: error.status,
                type: error.type,
                chain: chain(error)
              }))
            const stream = async () => {
              const events: Array<unknown> = []
              try {
                for await (const event of await client.messages.create({ ...request, stream: true })) events.push(event)
                return events
              } catch (error) {
                return [events, chain(error)]
              }
            }
            return [
              await attempt(() => client.messages.create({ ...request, stream: false })),
              await attempt(() => client.messages.create({ ...request, stream: false })),
              await stream(),
              await attempt(() => client.messages.countTokens({ model: request.model, messages: request.messages })),
              await attempt(() => client.models.list())
            ]
          })
        const recorded = yield* Effect.scoped(Effect.flatMap(Cassette.record({ file }), program))
        const replayed = yield* Effect.scoped(Effect.flatMap(Cassette.replay({ file, shiftTimes: false }), program))
        assert.deepStrictEqual(replayed, recorded)
        assert.strictEqual((yield* api.requests).length, 5)
      }).pipe(Effect.orDie)
    ))

  it.live("a connection that is refused", () =>
    Effect.gen(function*() {
      const program = Effect.flatMap(ClaudeService, (claude) => operations["createMessage"]?.(claude) ?? Effect.void)
      const outcome = yield* withFile((file) =>
        Effect.gen(function*() {
          const client = { apiKey: Redacted.make(apiKey), baseUrl: "http://127.0.0.1:9" }
          const fetch = () => Promise.reject(refused())
          const recorded = yield* Effect.provide(program, Cassette.layerRecord({ file, client, fetch }))
          const replayed = yield* Effect.provide(program, Cassette.layerReplay({ file }))
          const raw = yield* recordingOf(file)
          return { recorded, replayed, raw: JSON.stringify(raw) }
        }).pipe(Effect.orDie)
      )
      const withoutHost = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value).replaceAll("127.0.0.1:9", "<host>"))
      assert.deepStrictEqual(withoutHost(outcome.replayed), withoutHost(outcome.recorded))
      assert.include(outcome.raw, "ECONNREFUSED <host>")
      assert.notInclude(outcome.raw, "127.0.0.1")
    }))

  it.live("batches, from their creation to their results", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        const batches = yield* ClaudeBatches
        const item = (id: string) => ({ custom_id: id, params: { ...request, messages: [...request.messages] } })
        const created = yield* batches.create([item("one"), item("two")])
        const outcomes = yield* Stream.runCollect(batches.results(created.id))
        const listed = yield* Stream.runCollect(batches.list())
        const deleted = yield* batches.delete(created.id)
        const gone = yield* outcome(Effect.catchTag(batches.retrieve(created.id), "NotFoundError", Effect.fail))
        return { created, outcomes, listed, deleted, gone }
      })
      const { recorded, replayed } = yield* bothTimes({}, program)
      assert.strictEqual(recorded.outcomes.length, 2)
      assert.isTrue(Result.isFailure(recorded.gone))
      assert.deepStrictEqual(replayed, recorded)
    }))

  it.live("a job over batches", () =>
    Effect.gen(function*() {
      const items = ["one", "two"].map((custom_id) => ({
        custom_id,
        params: { ...request, messages: [...request.messages] }
      }))
      const program = Stream.runCollect(
        BatchJob.run(items, { schedule: Schedule.spaced("1 millis"), settle: 0 })
      )
      const { recorded, replayed } = yield* bothTimes({}, program)
      assert.deepStrictEqual(replayed.map(({ _tag }) => _tag), ["Succeeded", "Succeeded"])
      assert.deepStrictEqual(replayed, recorded)
    }))
})

const refused = (): TypeError =>
  new TypeError("fetch failed", {
    cause: Object.assign(new AggregateError([], "connect ECONNREFUSED 127.0.0.1:9"), {
      code: "ECONNREFUSED",
      errno: -111
    })
  })

describe("behind a pipeline", () => {
  const attempts = Effect.gen(function*() {
    const claude = yield* ClaudeService
    const cassette = yield* Cassette.Cassette
    const answer = yield* outcome(claude.createMessage(request))
    return { answer, attempts: (yield* cassette.exchanges).length, unused: (yield* cassette.unused).length }
  })

  it.live("two attempts recorded are two attempts replayed", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make({ plan: { steps: [FaultStep.overloaded(), FaultStep.reset()] } })
        const client = { apiKey: Redacted.make(apiKey), baseUrl: api.url }
        const pipeline = quickPipeline()
        const recorded = yield* Effect.provide(attempts, pipeline(Cassette.layerRecord({ file, client })))
        const replayed = yield* Effect.provide(attempts, pipeline(Cassette.layerReplay({ file, shiftTimes: false })))
        assert.isTrue(Result.isSuccess(replayed.answer))
        assert.deepStrictEqual(replayed, recorded)
        assert.strictEqual(recorded.attempts, 3)
        const { exchanges } = yield* recordingOf(file)
        assert.deepStrictEqual(exchanges.map(({ request }) => request.headers["x-stainless-retry-count"]), [
          "0",
          "1",
          "2"
        ])
      }).pipe(Effect.orDie)
    ))

  const timeouts: ReadonlyArray<
    readonly [Parameters<typeof ClaudeLayer.withAttemptTimeout>[0], FaultStep.FaultStep, string]
  > = [
    [{ headers: "100 millis" }, FaultStep.slowFirstByte("5 seconds"), "abandoned"],
    [{ idle: "400 millis" }, FaultStep.stallStream({ afterEvents: 4 }), "response"]
  ]
  for (const [limits, step, kind] of timeouts) {
    it.live(`a timeout is a timeout again: ${JSON.stringify(limits)}`, () =>
      withFile((file) =>
        Effect.gen(function*() {
          const api = yield* FakeClaudeApi.make({ plan: { after: step } })
          const client = { apiKey: Redacted.make(apiKey), baseUrl: api.url }
          const impatient = ClaudeLayer.withAttemptTimeout(limits)
          const program = Effect.flatMap(
            ClaudeService,
            (claude) => operations["streamMessage"]?.(claude) ?? Effect.void
          )
          const recorded = yield* Effect.provide(program, impatient(Cassette.layerRecord({ file, client })))
          const replayed = yield* Effect.provide(program, impatient(Cassette.layerReplay({ file, shiftTimes: false })))
          assert.deepStrictEqual(replayed, recorded)
          assert.include(JSON.stringify(recorded), "AttemptTimeoutError")
          const { exchanges } = yield* recordingOf(file)
          assert.deepStrictEqual(exchanges.map(({ outcome }) => outcome.kind), [kind])
        }).pipe(Effect.orDie)
      ))
  }

  it.live("calls at the same time keep each its own answer", () =>
    Effect.gen(function*() {
      const ask = (claude: ClaudeServiceShape, text: string) =>
        Effect.map(
          claude.createMessage({ ...request, messages: [{ role: "user", content: text }] }),
          ({ content, id }) => [text, id, content]
        )
      const program = Effect.gen(function*() {
        const claude = yield* ClaudeService
        const texts = Array.from({ length: 40 }, (_, index) => `question ${index % 10}`)
        return yield* Effect.forEach(texts, (text) => ask(claude, text), { concurrency: "unbounded" })
      })
      const { recorded, replayed, sent } = yield* bothTimes({}, program)
      assert.strictEqual(sent, 40)
      assert.deepStrictEqual(replayed, recorded)
    }))
})

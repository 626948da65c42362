import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Reached, request, seenByClient, seenByFetch, seenBySdk, type Transport, transports } from "./support.ts"

const text = "Grüße 🎉 aus Zürich, 日本語"
const html = "<html><title>Log in to the hotel</title></html>"

const broken = (["reset", "close", "end"] as const).flatMap((how) => [
  [`${how} after 4 events`, FaultStep.message({ text, interrupt: { how, afterEvents: 4 } })] as const,
  [`${how} after no byte`, FaultStep.message({ text, interrupt: { how, afterBytes: 0 } })] as const,
  [`${how} after 201 bytes`, FaultStep.message({ text, interrupt: { how, afterBytes: 201 } })] as const
])

const rows: ReadonlyArray<readonly [name: string, step: FaultStep.FaultStepInput]> = [
  ["a message", FaultStep.message({ text })],
  ["a message in pieces of a byte", FaultStep.message({ text: "ü🎉", chunkBytes: 1 })],
  ["a late message", FaultStep.message({ text, delay: 5, bodyDelay: 5, eventDelay: 1 })],
  ["pings, comments and events put in", {
    kind: "message",
    insert: [{ kind: "ping", count: 3 }, { kind: "comment", afterEvents: 0 }, {
      kind: "event",
      event: "new",
      data: { type: "new" }
    }]
  }],
  [
    "a tool call cut by max_tokens",
    FaultStep.truncatedToolInput({ name: "rm", input: { path: "/tmp", force: true }, afterCharacters: 20 })
  ],
  ["a refusal", FaultStep.refusal()],
  ["400", FaultStep.invalidRequest()],
  ["401", FaultStep.authentication()],
  ["413", FaultStep.requestTooLarge()],
  ["429 with a wait", FaultStep.rateLimit({ retryAfter: "7 seconds" })],
  ["429 at a spend limit", FaultStep.spendLimit()],
  ["500", FaultStep.internalServer()],
  ["529", FaultStep.overloaded()],
  ["an error event", FaultStep.midStreamError({ afterEvents: 4, error: { type: "overloaded_error" } })],
  ["an error event that is no JSON", FaultStep.message({ interrupt: { how: "error", data: "upstream went away" } })],
  ["a malformed event", FaultStep.malformedEvent({ afterEvents: 2 })],
  ["HTML from a proxy", FaultStep.htmlBadGateway()],
  ["HTML behind a 200", FaultStep.response({ status: 200, contentType: "text/html", body: html })],
  ["an empty 200", FaultStep.emptyBody()],
  ["half a JSON value", FaultStep.invalidJson()],
  ["a status without a body", FaultStep.response({ status: 204 })],
  ["a status of tomorrow", FaultStep.response({ status: 599, body: "x" })],
  ["more than announced", FaultStep.response({ status: 200, body: "abcdef", headers: { "content-length": "3" } })],
  ["a length that is no number", FaultStep.response({ status: 200, body: "a", headers: { "content-length": "x" } })],
  ["reset before the headers", FaultStep.reset()],
  ["close before the headers", FaultStep.closed()],
  ["no HTTP", FaultStep.disconnect({ how: "garbage" })],
  ["no room", FaultStep.capacity({ limit: 0, serviceTime: "1 second" })],
  ...broken
]

/** The same calls on a transport, and all that can be seen of them from both ends. */
const observe = (transport: Transport, step: FaultStep.FaultStepInput, stream: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const api: Reached = yield* transports[transport]({ after: step })
    const fetch = yield* seenByFetch(api, { ...request, stream })
    const sdk = yield* seenBySdk(api, stream)
    const client = yield* seenByClient(api, stream)
    const requests = yield* api.awaitEnded(3)
    return {
      fetch,
      sdk,
      client,
      requests: requests.map(({ endedAt: _, receivedAt: __, headers: { host: ___, ...headers }, ...rest }) => ({
        ...rest,
        headers
      }))
    }
  }))

describe("what a fault looks like is the same in memory as on a socket, to fetch, the SDK, our client and the log", () => {
  for (const [name, step] of rows) {
    for (const stream of [false, true]) {
      it.live(`${name}, ${stream ? "streamed" : "JSON"}`, () =>
        Effect.gen(function*() {
          const [onSocket, inMemory] = yield* Effect.all([
            observe("socket", step, stream),
            observe("memory", step, stream)
          ], { concurrency: 2 })
          assert.deepStrictEqual(inMemory, onSocket)
        }))
    }
  }
})

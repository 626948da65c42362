import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { getEventListeners } from "node:events"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { described, postWith, request, type Transport, transports } from "./support.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const streamed = { ...request, stream: true }

for (const transport of ["socket", "memory"] satisfies ReadonlyArray<Transport>) {
  const serve = (after: FaultStep.FaultStepInput) => transports[transport]({ after })

  describe(`a client that leaves, ${transport}`, () => {
    for (const reason of [undefined, new RangeError("enough")]) {
      const expected = reason === undefined ? { name: "AbortError" } : { message: "enough" }

      it.live(`before the headers, with ${reason === undefined ? "no reason" : "a reason"}`, () =>
        Effect.gen(function*() {
          const api = yield* serve(FaultStep.slowFirstByte("1 hour"))
          const abort = new AbortController()
          const answer = postWith(api, request, { signal: abort.signal }).catch(described)
          yield* api.awaitRequests(1)
          abort.abort(reason)
          assert.deepInclude(yield* Effect.promise(() => answer), expected)
          assert.deepInclude((yield* api.awaitEnded(1))[0], {
            outcome: "clientClosed",
            status: undefined,
            bytesSent: 0
          })
          yield* api.awaitClosed
        }))

      it.live(`in a body, with ${reason === undefined ? "no reason" : "a reason"}`, () =>
        Effect.gen(function*() {
          const api = yield* serve(FaultStep.stallStream({ afterEvents: 3 }))
          const abort = new AbortController()
          const response = yield* Effect.promise(() => postWith(api, streamed, { signal: abort.signal }))
          const reader = response.body?.getReader()
          yield* Effect.promise(async () => reader?.read())
          const next = (async () => {
            while (true) await reader?.read()
          })().catch(described)
          abort.abort(reason)
          assert.deepInclude(yield* Effect.promise(() => next), expected)
          assert.deepInclude((yield* api.awaitEnded(1))[0], { outcome: "clientClosed", status: 200 })
          yield* api.awaitClosed
        }))
    }

    const bodyOf = (text: string): Readonly<Record<string, () => RequestInit>> => ({
      "text": () => ({ body: text }),
      "bytes": () => ({ body: Buffer.from(text) }),
      "a stream": () => ({ body: new Response(text).body, duplex: "half" }) as RequestInit,
      "a stream without an end": () => ({ body: new ReadableStream(), duplex: "half" }) as RequestInit
    })
    for (const [name, body] of Object.entries(bodyOf(JSON.stringify(request)))) {
      for (const when of ["at once", "a moment later"]) {
        it.live(`${when}, sending ${name}`, () =>
          Effect.gen(function*() {
            const api = yield* serve(FaultStep.slowFirstByte("1 hour"))
            for (const wrap of [false, true]) {
              const abort = new AbortController()
              const url = `${api.url}/v1/messages`
              const init = { method: "POST", headers: { "x-api-key": "key" }, signal: abort.signal, ...body() }
              const answer = (wrap ? api.fetch(new Request(url, init)) : api.fetch(url, init)).catch(described)
              if (when !== "at once") yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
              abort.abort()
              assert.deepInclude(yield* Effect.promise(() => answer), { name: "AbortError" })
            }
            yield* api.awaitClosed.pipe(Effect.timeout("5 seconds"))
          }))
      }
    }

    it.live("by canceling the body", () =>
      Effect.gen(function*() {
        const api = yield* serve(FaultStep.stallStream({ afterEvents: 3 }))
        const response = yield* Effect.promise(() => postWith(api, streamed))
        yield* Effect.promise(async () => response.body?.cancel())
        assert.strictEqual((yield* api.awaitEnded(1))[0]?.outcome, "clientClosed")
        yield* api.awaitClosed
      }))
  })
}

describe("in memory", () => {
  it.effect("a signal is heard though its Request is gone", () =>
    Effect.gen(function*() {
      const api = yield* transports.memory({ after: FaultStep.slowFirstByte("1 hour") })
      const abort = new AbortController()
      const answer = (() =>
        api.fetch(
          new Request(`${api.url}/v1/messages`, { method: "POST", body: JSON.stringify(request), signal: abort.signal })
        ).catch(described))()
      yield* api.awaitRequests(1)
      for (let round = 0; round < 3; round++) {
        collectGarbage()
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      abort.abort()
      assert.deepInclude(yield* Effect.promise(() => answer), { name: "AbortError" })
    }).pipe(Effect.scoped))

  it.effect("no listener stays on a signal that lives longer than its call", () =>
    Effect.gen(function*() {
      const api = yield* transports.memory({
        steps: [
          FaultStep.message(),
          FaultStep.overloaded(),
          FaultStep.reset(),
          FaultStep.cutStream({ afterEvents: 2 }),
          FaultStep.response({ status: 204 })
        ]
      })
      const { signal } = new AbortController()
      for (let call = 0; call < 5; call++) {
        yield* Effect.promise(() =>
          postWith(api, streamed, { signal }).then((response) => response.text()).catch(() => undefined)
        )
      }
      assert.strictEqual((yield* api.requests).length, 5)
      assert.deepStrictEqual(getEventListeners(signal, "abort"), [])
    }).pipe(Effect.scoped))
})

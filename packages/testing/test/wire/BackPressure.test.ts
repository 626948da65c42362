import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { apiKey, connect, request } from "./support.ts"

const sse = (event: { readonly type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const events = MessageEvents.fromMessage(Reply.message("x".repeat(1000)))
const [start, opened, delta, ...end] = events.map(sse)
const deltas = 100_000

/** Sends an answer of a hundred megabytes as fast as it is taken, and counts what has been. */
const server = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly written: () => number; readonly close: () => void }>((resume) => {
    let written = 0
    const send = async (response: ServerResponse) => {
      const closed = new Promise((resolve) => response.once("close", resolve))
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(`${start}${opened}`)
      for (let sent = 0; sent < deltas && !response.destroyed; sent++) {
        if (!response.write(delta)) {
          await Promise.race([closed, new Promise((resolve) => response.once("drain", resolve))])
        }
        written += delta?.length ?? 0
      }
      response.end(end.join(""))
    }
    const http = createServer((incoming, response) => {
      incoming.resume()
      void send(response)
    })
    http.listen(0, "127.0.0.1", () => {
      const { port } = http.address() as AddressInfo
      resume(Effect.succeed({
        url: `http://127.0.0.1:${port}`,
        written: () => written,
        close: () => {
          http.closeAllConnections()
          http.close()
        }
      }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

/** Waits until nothing more is written, and tells how much was. */
const settled = (written: () => number): Effect.Effect<number> =>
  Effect.gen(function*() {
    for (;;) {
      const before = written()
      yield* Effect.sleep("100 millis")
      if (written() === before && before > 0) return before
    }
  })

const pipelines: ReadonlyArray<readonly [string, ClaudeLayer.Combinator | undefined]> = [
  ["the client alone", undefined],
  ["the whole pipeline with stream recovery", ClaudeLayer.standard({ streamRecovery: {}, telemetry: false })]
]

describe("a consumer that stops reading stops the server", () => {
  for (const [name, pipeline] of pipelines) {
    it.live(name, () =>
      Effect.scoped(Effect.gen(function*() {
        const { url, written } = yield* server
        const claude = yield* connect({ apiKey: Redacted.make(apiKey), baseUrl: url }, pipeline)
        const paused = yield* Deferred.make<void>()
        const mayGoOn = yield* Deferred.make<void>()
        let seen = 0
        const reading = yield* claude.streamMessage(request).pipe(
          Stream.filter(({ type }) => type === "content_block_delta"),
          Stream.runForEach(() => {
            seen += 1
            if (seen !== 10) return Effect.void
            return Effect.andThen(Deferred.succeed(paused, undefined), Deferred.await(mayGoOn))
          }),
          Effect.forkChild
        )
        yield* Deferred.await(paused)
        const heap = process.memoryUsage().heapUsed
        const held = yield* settled(written)
        // What the sockets of both sides hold; the answer is ten times that.
        assert.isBelow(held, 12_000_000)
        assert.isBelow(process.memoryUsage().heapUsed - heap, 12_000_000)
        assert.strictEqual(seen, 10)

        yield* Deferred.succeed(mayGoOn, undefined)
        yield* Fiber.join(reading)
        assert.strictEqual(seen, deltas)
      })), 30_000)
  }
})

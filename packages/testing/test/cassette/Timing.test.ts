import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Cassette from "@effect-claude/testing/Cassette"
import { CassetteMismatchError } from "@effect-claude/testing/CassetteError"
import * as CassetteFile from "@effect-claude/testing/CassetteFile"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { FileSystem } from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { request } from "../wire/support.ts"
import { type Fetch, post, recordingOf, seen, withFile } from "./support.ts"

const encoder = new TextEncoder()

/** A body whose pieces come at these times, in the virtual time of the test. */
const slowly = (
  after: number,
  pieces: ReadonlyArray<readonly [wait: number, text: string]>,
  end: "close" | "hang" | Error = "close"
) =>
  Effect.map(Effect.context(), (context): Fetch => async (_input, init) => {
    const sleep = (millis: number) => Effect.runPromiseWith(context)(Effect.sleep(millis))
    await sleep(after)
    return new Response(
      new ReadableStream({
        start: async (controller) => {
          init?.signal?.addEventListener("abort", () => controller.error(init.signal?.reason))
          for (const [wait, text] of pieces) {
            await sleep(wait)
            controller.enqueue(encoder.encode(text))
          }
          if (end === "close") controller.close()
          else if (end !== "hang") controller.error(end)
        }
      })
    )
  })

/** When what of a response arrives, from the call on. */
const arrivals = (fetch: Fetch, init: RequestInit = {}) =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const start = clock.currentTimeMillisUnsafe()
    const now = (): number => clock.currentTimeMillisUnsafe() - start
    return yield* Effect.promise(async () => {
      const out: Array<readonly [number, string]> = []
      try {
        const response = await post(fetch, {}, init)
        out.push([now(), "headers"])
        for await (const chunk of response.body ?? []) out.push([now(), Buffer.from(chunk).toString()])
        out.push([now(), "end"])
      } catch (thrown) {
        out.push([now(), String(thrown)])
      }
      return out
    })
  })

const record = (file: string, fetch: Fetch) =>
  Effect.scoped(Effect.flatMap(Cassette.record({ file, fetch }), (cassette) => arrivals(cassette.fetch)))

const replay = (options: Cassette.ReplayOptions) =>
  Effect.scoped(Effect.flatMap(Cassette.replay(options), (cassette) => arrivals(cassette.fetch)))

const inVirtualTime = <A, E>(use: (file: string) => Effect.Effect<A, E, FileSystem | Scope.Scope>) =>
  withFile(use).pipe(VirtualTime.run)

describe("time", () => {
  const timeline = [[2000, "headers"], [2500, "one"], [12_500, "two"], [12_500, "end"]] as ReadonlyArray<
    readonly [number, string]
  >
  const fetch = slowly(2000, [[500, "one"], [10_000, "two"]])

  it.effect("is what was recorded, to the millisecond", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* record(file, yield* fetch), timeline)
        assert.deepStrictEqual(yield* replay({ file, timing: "recorded" }), timeline)
      })
    ))

  it.effect("is nothing by default", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* record(file, yield* fetch)
        assert.deepStrictEqual(yield* replay({ file }), timeline.map(([, what]) => [0, what] as const))
      })
    ))

  it.effect("is a part of it with a speed", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* record(file, yield* fetch)
        assert.deepStrictEqual(
          yield* replay({ file, timing: "recorded", speed: 10 }),
          timeline.map(([at, what]) => [at / 10, what] as const)
        )
      })
    ))

  it.effect("passes for a reader who is late, as on a network", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* record(file, yield* fetch)
        const { fetch: replayed } = yield* Cassette.replay({ file, timing: "recorded" })
        const response = yield* Effect.promise(() => post(replayed, {}))
        yield* Effect.sleep("1 minute")
        const before = yield* Clock.currentTimeMillis
        assert.strictEqual(yield* Effect.promise(() => response.text()), "onetwo")
        assert.strictEqual(yield* Clock.currentTimeMillis, before)
      })
    ))

  it.effect("passes before a failure too", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        const cut = new TypeError("terminated", {
          cause: Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" })
        })
        const recorded = yield* record(file, yield* slowly(10, [[20, "one"], [30, ""]], cut))
        assert.deepStrictEqual(recorded, [[10, "headers"], [30, "one"], [60, "TypeError: terminated"]])
        assert.deepStrictEqual(yield* replay({ file, timing: "recorded" }), recorded)
      })
    ))
})

describe("a clock that is set back", () => {
  it.effect("makes no file that cannot be read", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(1_000_000)
        const cassette = yield* Cassette.record({
          file: `${file}.other`,
          fetch: async () => new Response(new Blob(["one"]).stream())
        })
        const response = yield* Effect.promise(() => post(cassette.fetch, {}))
        yield* TestClock.setTime(500_000)
        yield* Effect.promise(() => response.text())
        yield* TestClock.setTime(400_000)
        const { exchanges } = yield* CassetteFile.decodeJson(CassetteFile.encodeJson({
          format: "effect-claude-cassette",
          version: 1,
          prompts: "redact",
          digest: "sha256",
          exchanges: yield* cassette.exchanges
        }))
        assert.strictEqual(exchanges.length, 1)
      }).pipe(Effect.orDie)
    ))
})

describe("a caller who gave up", () => {
  /** Records a caller who aborts after two seconds. */
  const recorded = (file: string, fetch: Fetch) =>
    Effect.scoped(Effect.gen(function*() {
      const cassette = yield* Cassette.record({ file, fetch })
      const giveUp = new AbortController()
      yield* Effect.forkChild(Effect.andThen(Effect.sleep("2 seconds"), Effect.sync(() => giveUp.abort())))
      return yield* arrivals(cassette.fetch, { signal: giveUp.signal })
    }))

  const aborts = (file: string, after: number) =>
    Effect.scoped(Effect.gen(function*() {
      const cassette = yield* Cassette.replay({ file })
      const giveUp = new AbortController()
      yield* Effect.forkChild(
        Effect.andThen(Effect.sleep(after), Effect.sync(() => giveUp.abort(new Error("too slow"))))
      )
      return yield* arrivals(cassette.fetch, { signal: giveUp.signal })
    }))

  it.effect("gives up again, by the timeout of its own", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        const first = yield* recorded(file, yield* slowly(10, [[20, "one"]], "hang"))
        assert.deepStrictEqual(first.slice(0, 2), [[10, "headers"], [30, "one"]])
        assert.strictEqual(first[2]?.[0], 2000)
        assert.deepStrictEqual(yield* aborts(file, 1500), [[0, "headers"], [0, "one"], [1500, "Error: too slow"]])
      })
    ))

  it.effect("and before headers", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* recorded(file, (_input, init) =>
          new Promise((_, reject) => {
            init?.signal?.addEventListener("abort", () => reject(init.signal?.reason))
          }))
        assert.deepStrictEqual(yield* aborts(file, 1500), [[1500, "Error: too slow"]])
      })
    ))

  it.effect("is told when he has no timeout any more", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* recorded(file, yield* slowly(10, [[20, "one"]], "hang"))
        const cassette = yield* Cassette.replay({ file, strict: false })
        const [, , last] = yield* arrivals(cassette.fetch)
        assert.strictEqual(last?.[0], Math.ceil(1990 * 1.1 + 1000))
        const [mismatch] = yield* cassette.mismatches
        assert.instanceOf(mismatch, CassetteMismatchError)
        assert.include(mismatch?.message, "goes no further for POST /v1/messages: the recorded caller gave up")
      })
    ))

  it.effect("asks for nothing when he has given up before", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* record(file, async () => new Response("hi"))
        const cassette = yield* Cassette.replay({ file, strict: false })
        const signal = AbortSignal.abort(new Error("never mind"))
        assert.deepStrictEqual(yield* arrivals(cassette.fetch, { signal }), [[0, "Error: never mind"]])
        assert.strictEqual((yield* cassette.unused).length, 1)
      })
    ))

  it.effect("leaves nothing behind: no fiber sleeps on", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* record(file, yield* slowly(10, [[20, "one"], [3_600_000, "two"]]))
        const before = yield* Clock.currentTimeMillis
        yield* Effect.scoped(Effect.gen(function*() {
          const cassette = yield* Cassette.replay({ file, timing: "recorded" })
          const response = yield* Effect.promise(() => post(cassette.fetch, {}))
          const reader = response.body?.getReader()
          yield* Effect.promise(async () => reader?.read())
          const pending = reader?.read()
          yield* Effect.promise(async () => reader?.cancel())
          yield* Effect.promise(async () => pending)
        }))
        assert.isBelow((yield* Clock.currentTimeMillis) - before, 1000)
      })
    ))
})

describe("points in time in headers", () => {
  const day = 86_400_000
  const recordedAt = Date.UTC(2026, 10, 26, 14, 5, 0)
  const headers = {
    date: new Date(recordedAt).toUTCString(),
    "retry-after": new Date(recordedAt + 30_000).toUTCString(),
    "anthropic-ratelimit-requests-reset": "2026-11-26T14:05:10Z",
    "anthropic-ratelimit-tokens-reset": "2026-11-26T14:05:10.250Z",
    "anthropic-priority-input-tokens-reset": "2026-11-26T16:05:10+02:00",
    "anthropic-ratelimit-unified-5h-reset": String(recordedAt / 1000 + 60),
    "anthropic-ratelimit-requests-remaining": "5",
    "anthropic-fast-input-tokens-reset": "soon"
  }

  const replayed = (shiftTimes: boolean | undefined, other: Record<string, string> = {}) =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(recordedAt)
        yield* record(file, async () => new Response("", { status: 429, headers: { ...headers, ...other } }))
        yield* TestClock.setTime(recordedAt + 400 * day)
        const cassette = yield* Cassette.replay({ file, shiftTimes })
        const response = yield* Effect.promise(() => seen(() => post(cassette.fetch, {})))
        return "headers" in response ? response.headers : undefined
      })
    )

  it.effect("are moved by the age of the recording", () =>
    Effect.gen(function*() {
      const later = (seconds: number, millis = "") =>
        `${new Date(recordedAt + 400 * day + seconds * 1000).toISOString().slice(0, 19)}${millis}Z`
      assert.deepInclude(yield* replayed(undefined), {
        date: new Date(recordedAt + 400 * day).toUTCString(),
        "retry-after": new Date(recordedAt + 400 * day + 30_000).toUTCString(),
        "anthropic-ratelimit-requests-reset": later(10),
        "anthropic-ratelimit-tokens-reset": later(10, ".250"),
        "anthropic-priority-input-tokens-reset": later(10),
        "anthropic-ratelimit-unified-5h-reset": String(recordedAt / 1000 + 400 * 86_400 + 60),
        "anthropic-ratelimit-requests-remaining": "5",
        "anthropic-fast-input-tokens-reset": "soon"
      })
    }))

  it.effect("are left alone where they are no points in time", () =>
    Effect.gen(function*() {
      for (const value of ["12", "1.5", "soon", "-1"]) {
        assert.deepInclude(yield* replayed(undefined, { "retry-after": value }), { "retry-after": value })
      }
    }))

  it.effect("stay as they were when told", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* replayed(false), headers)
    }))
})

describe("a stream of the fake API", () => {
  it.live("comes with its events in virtual time, a minute in no time", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make({
          plan: { after: FaultStep.message({ text: "One two three", eventDelay: "20 millis" }) }
        })
        const events = Effect.gen(function*() {
          const claude = yield* ClaudeService
          const start = yield* Clock.currentTimeMillis
          return yield* Stream.runCollect(
            Stream.mapEffect(claude.streamMessage(request), (event) =>
              Effect.map(Clock.currentTimeMillis, (now) => [now - start, event] as const))
          )
        })
        const client = { apiKey: Redacted.make("sk-ant-test"), baseUrl: api.url }
        const recorded = yield* Effect.provide(events, Cassette.layerRecord({ file, client }))
        const outcome = (yield* recordingOf(file)).exchanges[0]?.outcome
        const chunks = outcome?.kind === "response" ? outcome.body?.chunks ?? [] : []
        const after = outcome?.kind === "response" ? outcome.after : 0
        const replay = Cassette.layerReplay({ file, timing: "recorded", speed: 0.01, shiftTimes: false })
        const replayed = yield* VirtualTime.run(Effect.provide(events, replay))

        assert.deepStrictEqual(
          replayed.map(([, event]) =>
            event
          ),
          recorded.map(([, event]) => event)
        )
        const times = new Set(replayed.map(([at]) => at))
        assert.isTrue([...times].every((at) => chunks.some(([offset]) => Math.abs((after + offset) * 100 - at) <= 1)))
        assert.isAbove(times.size, 4)
      }).pipe(Effect.orDie)
    ))

  it.effect("shows whether a timeout of today is long enough for it", () =>
    inVirtualTime((file) =>
      Effect.gen(function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const cassette = yield* Cassette.record({ file, fetch: yield* slowly(90_000, [[1, "{}"]]) })
          yield* Effect.promise(async () => {
            const response = await cassette.fetch("https://api.anthropic.com/v1/messages", {
              method: "POST",
              body: JSON.stringify({ ...request, stream: false })
            })
            await response.text()
          })
        }))
        const layer = Cassette.layerReplay({ file, timing: "recorded" }).pipe(
          ClaudeLayer.withAttemptTimeout({ attempt: "1 minute" })
        )
        const error = yield* Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request)).pipe(
          Effect.provide(layer),
          Effect.flip
        )
        assert.strictEqual("_tag" in error ? error._tag : "", "AttemptTimeoutError")
      })
    ))
})

import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Cassette from "@effect-claude/testing/Cassette"
import type { CassetteError } from "@effect-claude/testing/CassetteError"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { request } from "../wire/support.ts"
import { type Fetch, post, recordingOf, recordWith, textOf, withFile, writeText } from "./support.ts"

const counting = () => {
  let sent = 0
  const fetch: Fetch = async () => new Response(`answer ${++sent}`)
  return { fetch, sent: () => sent }
}

const ask = async (fetch: Fetch, ...models: ReadonlyArray<string>) => {
  const out: Array<string> = []
  for (const model of models) out.push(await (await post(fetch, { model })).text())
  return out
}

const within = <A>(options: Cassette.Options, use: (fetch: Fetch) => Promise<A>, env: Record<string, string> = {}) =>
  Effect.scoped(Effect.flatMap(Cassette.make(options), ({ fetch }) => Effect.promise(() => use(fetch)))).pipe(
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))
  )

const modeOf = (mode: Cassette.CassetteMode | undefined, env: Record<string, string>) =>
  withFile((file) =>
    Effect.gen(function*() {
      yield* recordWith({ file, fetch: counting().fetch }, async () => undefined)
      return yield* Effect.map(Cassette.make({ file, mode }), (cassette) => cassette.mode)
    }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))
  )

describe("the mode", () => {
  const cases: ReadonlyArray<readonly [Cassette.CassetteMode | undefined, Record<string, string>, string]> = [
    [undefined, {}, "replay"],
    [undefined, { CASSETTE_MODE: "" }, "replay"],
    [undefined, { CASSETTE_MODE: " record " }, "record"],
    [undefined, { CASSETTE_MODE: "auto" }, "auto"],
    [undefined, { CASSETTE_MODE: "auto", CI: "true" }, "replay"],
    [undefined, { CASSETTE_MODE: "auto", CI: "false" }, "auto"],
    [undefined, { CASSETTE_MODE: "record", CI: "true" }, "record"],
    ["auto", { CI: "1" }, "replay"],
    ["auto", { CASSETTE_MODE: "record" }, "auto"],
    ["replay", { CASSETTE_MODE: "record" }, "replay"],
    ["record", {}, "record"]
  ]
  for (const [mode, env, expected] of cases) {
    it.effect(`is ${expected} with ${mode ?? "no option"} and ${JSON.stringify(env)}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* modeOf(mode, env), expected)
      }))
  }

  it.effect("is no other", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(modeOf(undefined, { CASSETTE_MODE: "recrod" }))
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(String(error), "CASSETTE_MODE must be one of replay, record, auto")
    }))
})

describe("auto", () => {
  it.effect("sends what is missing, and asks for it only once", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const { fetch, sent } = counting()
        const options = { file, fetch, mode: "auto" } as const
        assert.deepStrictEqual(yield* within(options, (fetch) => ask(fetch, "a", "b")), ["answer 1", "answer 2"])
        const before = yield* textOf(file)
        assert.deepStrictEqual(yield* within(options, (fetch) => ask(fetch, "b", "a")), ["answer 2", "answer 1"])
        assert.strictEqual(yield* textOf(file), before)
        assert.deepStrictEqual(
          yield* within(options, (fetch) => ask(fetch, "b", "b", "c")),
          ["answer 2", "answer 3", "answer 4"]
        )
        assert.strictEqual(sent(), 4)
        assert.deepStrictEqual(
          yield* within({ file, mode: "replay" }, (fetch) => ask(fetch, "a", "b", "b", "c")),
          ["answer 1", "answer 2", "answer 3", "answer 4"]
        )
      })
    ))

  it.live("adds to what another test has added meanwhile", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const { fetch } = counting()
        const adding = (body: string) => within({ file, fetch, mode: "auto" }, (fetch) => ask(fetch, body))
        yield* Effect.all([adding("a"), adding("b"), adding("c")], { concurrency: "unbounded" })
        assert.strictEqual((yield* recordingOf(file)).exchanges.length, 3)
      })
    ))

  it.effect("leaves the network alone in CI", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const { fetch, sent } = counting()
        const error = yield* Effect.flip(
          within({ file, fetch, mode: "auto" }, (fetch) => ask(fetch, "a"), { CI: "true" })
        )
        assert.strictEqual((error as CassetteError).reason, "Missing")
        assert.strictEqual(sent(), 0)
      })
    ))

  it.effect("does not mix prompts that are kept with those that are not", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const { fetch } = counting()
        yield* within({ file, fetch, mode: "record", prompts: "keep" }, (fetch) => ask(fetch, "a"))
        const error = yield* Effect.flip(
          within({ file, fetch, mode: "auto", prompts: "redact" }, (fetch) => ask(fetch, "a"))
        )
        assert.strictEqual((error as CassetteError).reason, "Settings")
        yield* within({ file, fetch, mode: "auto" }, (fetch) => ask(fetch, "b"))
        assert.strictEqual((yield* recordingOf(file)).prompts, "keep")
      })
    ))
})

describe("the file of a recording", () => {
  const leftovers = (file: string) =>
    Effect.flatMap(FileSystem.FileSystem, (fileSystem) => fileSystem.readDirectory(file.replace(/\/[^/]*$/, "")))

  const after = <E>(
    file: string,
    end: (cassette: Cassette.CassetteShape) => Effect.Effect<unknown, E, Scope.Scope>
  ) =>
    Effect.exit(Effect.scoped(Effect.gen(function*() {
      const cassette = yield* Cassette.record({ file, fetch: counting().fetch })
      yield* Effect.promise(() => ask(cassette.fetch, "a"))
      return yield* end(cassette)
    })))

  it.effect("is whole after a failure, a defect and an interrupt", () =>
    withFile((file) =>
      Effect.gen(function*() {
        for (const end of [Effect.fail("wrong"), Effect.die("broken"), Effect.interrupt]) {
          assert.isTrue(Exit.isFailure(yield* after(file, () => end)))
          assert.strictEqual((yield* recordingOf(file)).exchanges.length, 1)
          assert.deepStrictEqual(yield* leftovers(file), ["one.json"])
          const fileSystem = yield* FileSystem.FileSystem
          yield* fileSystem.remove(file)
        }
      })
    ))

  it.effect("has what was under way as given up", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const reached = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Effect.scoped(Effect.gen(function*() {
          const cassette = yield* Cassette.record({
            file,
            fetch: (_input, init) =>
              new Promise((_, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason)))
          })
          yield* Effect.forkChild(Effect.promise((signal) => post(cassette.fetch, {}, { signal })))
          yield* Effect.yieldNow
          yield* Deferred.succeed(reached, undefined)
          return yield* Effect.never
        })))
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual((yield* recordingOf(file)).exchanges.map(({ outcome }) => outcome.kind), ["abandoned"])
      })
    ))

  it.effect("is the one of before until the new one is whole", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* writeText(file, "before")
        const before = yield* Effect.context<FileSystem.FileSystem>()
        yield* after(file, () =>
          Effect.gen(function*() {
            assert.strictEqual(yield* textOf(file), "before")
          }).pipe(Effect.provideContext(before)))
        assert.strictEqual((yield* recordingOf(file)).exchanges.length, 1)
      })
    ))

  it.effect("that cannot be written is a defect, and leaves nothing behind", () =>
    withFile((file) =>
      Effect.gen(function*() {
        yield* writeText(`${file}/inner`, "")
        const exit = yield* after(file, () => Effect.void)
        assert.include(String(exit), "the cassette cannot be written")
        assert.deepStrictEqual(yield* leftovers(file), ["one.json"])
      })
    ))

  it.effect("keeps the order in which requests were sent", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const answers: Array<() => void> = []
        const fetch: Fetch = () => new Promise((resolve) => answers.push(() => resolve(new Response(`answer`))))
        yield* recordWith({ file, fetch }, async (fetch) => {
          const calls = ["a", "b", "c"].map((model) => ask(fetch, model))
          for (const answer of answers.toReversed()) answer()
          await Promise.all(calls)
        })
        const { exchanges } = yield* recordingOf(file)
        assert.deepStrictEqual(exchanges.map(({ request: { body } }) => body), [{ model: "a" }, { model: "b" }, {
          model: "c"
        }])
      })
    ))
})

describe("a replay", () => {
  it.effect("needs no key, and uses no fetch but its own", () =>
    withFile((file) =>
      Effect.gen(function*() {
        const message = {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "a",
          content: [],
          stop_reason: "end_turn",
          usage: {}
        }
        const call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
        const client = { apiKey: Redacted.make("sk-ant-test"), sdk: { fetch: async () => Response.json(message) } }
        yield* Effect.provide(call, Cassette.layerRecord({ file, client }))
        const network = () => Promise.reject(new Error("This would be the network"))
        const replay = Cassette.layer({ file, fetch: network, client: { sdk: { fetch: network } } })
        const answer = yield* Effect.provide(call, replay)
        assert.strictEqual(answer.id, "msg_1")
      }).pipe(Effect.orDie)
    ))
})

describe("wrong options", () => {
  const wrong: ReadonlyArray<readonly [string, () => unknown]> = [
    ["file", () => Cassette.record({ file: " " })],
    ["prompts", () => Cassette.record({ file: "a", prompts: "hide" as "keep" })],
    ["answers", () => Cassette.record({ file: "a", answers: "hide" as "keep" })],
    ["identities", () => Cassette.layer({ file: "a", identities: true as unknown as "keep" })],
    ["headers", () => Cassette.record({ file: "a", headers: ["Authorization"] })],
    ["headers", () => Cassette.record({ file: "a", headers: ["a b"] })],
    ["secret", () => Cassette.record({ file: "a", secret: Redacted.make("") })],
    ["timing", () => Cassette.replay({ file: "a", timing: "fast" as "none" })],
    ["speed", () => Cassette.replay({ file: "a", speed: 2 })],
    ["speed", () => Cassette.replay({ file: "a", timing: "recorded", speed: 0 })],
    ["mode", () => Cassette.make({ file: "a", mode: "rerecord" as "record" })]
  ]
  for (const [option, use] of wrong) {
    it(`names ${option}`, () => {
      assert.throws(use, RangeError, `option "${option}"`)
    })
  }
})

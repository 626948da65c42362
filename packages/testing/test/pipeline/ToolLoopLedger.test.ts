import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
import * as ToolLedger from "@effect-claude/client/ToolLedger"
import type { ToolLoopEvent } from "@effect-claude/client/ToolLoopEvent"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Fault from "@effect-claude/testing/Fault"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { request } from "./support.ts"
import { asks, done, recorder, requests, runLoop, toldLast } from "./toolSupport.ts"

const act = (what: string) => ["act", { what }] as const

describe("an idempotency key", () => {
  it.effect("is the same when a lost step is asked for again under other ids, and another one for every other call", () => {
    const first = recorder()
    const second = recorder()
    return Effect.gen(function*() {
      const calls = [["act", { what: "a", "1": 1 }], ["act", { what: "a" }], ["act", { what: "a" }], act("b")] as const
      const run = (tool: ClaudeTool.ClaudeTool, runId: string) =>
        runLoop([tool], { runId }).pipe(
          Effect.provide(ClaudeTest.script([asks(calls.slice(1)), asks([act("a")]), done]), { local: true })
        )
      yield* run(first.tool, "r")
      yield* run(second.tool, "r")
      const keys = first.ran.map(({ context }) => context.idempotencyKey)
      assert.strictEqual(new Set(keys).size, 4)
      assert.deepStrictEqual(second.ran.map(({ context }) => context.idempotencyKey), keys)
      const ids = [...first.ran, ...second.ran].map(({ context }) => context.toolUseId)
      assert.strictEqual(new Set(ids).size, 8)
      for (const key of keys) assert.match(key, /^[0-9a-f]{64}$/)
      assert.deepStrictEqual(first.ran.map(({ context: { attempt, runId, step } }) => [runId, step, attempt]), [
        ["r", 1, 1],
        ["r", 1, 1],
        ["r", 1, 1],
        ["r", 2, 1]
      ])

      const other = recorder()
      yield* run(other.tool, "s")
      assert.notInclude(keys, other.ran[0]?.context.idempotencyKey)
    })
  })

  it.effect("does not depend on the order of names in the input", () => {
    const seen: Array<string> = []
    const tool = ClaudeTool.make("act", {
      description: "",
      input: Schema.Struct({ a: Schema.Int, b: Schema.Struct({ c: Schema.Int, d: Schema.Int }) }),
      run: (_, { idempotencyKey }) => Effect.sync(() => void seen.push(idempotencyKey))
    })
    return Effect.gen(function*() {
      for (const input of [{ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }]) {
        yield* Effect.provide(
          runLoop([tool], { runId: "r" }),
          ClaudeTest.script([asks([["act", input]]), done]),
          { local: true }
        )
      }
      assert.strictEqual(seen[0], seen[1])
    })
  })
})

describe("a run with a ledger", () => {
  it.effect("that is over gives its result again without asking or running anything", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const first = yield* runLoop([tool], { runId: "r", ledger })
      const events: Array<ToolLoopEvent> = []
      const second = yield* runLoop([tool], {
        runId: "r",
        ledger,
        request: { ...request, messages: [{ role: "user", content: "Something else" }] },
        onEvent: (event) => Effect.sync(() => void events.push(event))
      })
      assert.deepStrictEqual(JSON.stringify(second), JSON.stringify(first))
      assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["Resumed", "Finished"])
      assert.strictEqual(ran.length, 1)
      assert.strictEqual((yield* requests).length, 2)
    }).pipe(Effect.provide(ClaudeTest.script([asks([act("one")]), done])))
  })

  it.effect("answers a tool that ended from the ledger, failures too", () => {
    let runs = 0
    const fails = ClaudeTool.make("fails", {
      description: "",
      input: Schema.Struct({}),
      run: () => Effect.suspend(() => Effect.fail({ message: `failure ${++runs}` }))
    })
    const { ran, tool } = recorder()
    const endless = ClaudeTool.make("endless", { description: "", input: Schema.Struct({}), run: () => Effect.never })
    const outcomes: Array<string> = []
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const fiber = yield* Effect.forkChild(runLoop([fails, tool, endless], { runId: "r", ledger }))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)

      const ends = ClaudeTool.make("endless", {
        description: "",
        input: Schema.Struct({}),
        run: () => Effect.succeed("ended"),
        idempotent: true
      })
      yield* runLoop([fails, tool, ends], {
        runId: "r",
        ledger,
        onEvent: (event) => Effect.sync(() => event._tag === "ToolFinished" && void outcomes.push(event.outcome))
      })
      assert.deepStrictEqual(outcomes, ["replayed", "replayed", "succeeded"])
      assert.strictEqual(runs, 1)
      assert.strictEqual(ran.length, 1)
      assert.deepStrictEqual(yield* toldLast, [["failure 1", true], ["did one", false], ["ended", false]])
    }).pipe(Effect.provide(ClaudeTest.script([asks([["fails", {}], act("one"), ["endless", {}]]), done])))
  })

  describe("in which a tool was interrupted", () => {
    const interrupted = (options: {
      readonly idempotent?: boolean
      readonly recover?: (() => Effect.Effect<Option.Option<string>, string>) | undefined
    }) =>
      Effect.gen(function*() {
        const ran: Array<number> = []
        const keys = new Set<string>()
        const began = yield* Deferred.make<void>()
        const tool = ClaudeTool.make("try", {
          description: "",
          input: Schema.Struct({}),
          run: (_, { attempt, idempotencyKey }) =>
            Effect.suspend(() => {
              ran.push(attempt)
              keys.add(idempotencyKey)
              return attempt === 1
                ? Effect.andThen(Deferred.succeed(began, undefined), Effect.never)
                : Effect.succeed("again")
            }),
          ...options
        })
        const ledger = yield* ToolLedger.makeMemory
        const run = runLoop([tool], { runId: "r", ledger })
        const fiber = yield* Effect.forkChild(run)
        yield* Deferred.await(began)
        yield* Fiber.interrupt(fiber)
        return { run, ran, keys, ledger }
      })
    const Claude = ClaudeTest.script([asks([["try", {}]])], { after: done })

    it.effect("stops, naming the tool and its key, until somebody knows", () =>
      Effect.gen(function*() {
        const { keys, ledger, ran, run } = yield* interrupted({})
        const error = yield* Effect.flip(run)
        assert.strictEqual(error.reason, "unknownOutcome")
        assert.strictEqual(error.tool, "try")
        assert.deepStrictEqual([error.idempotencyKey], [...keys])
        assert.include(error.message, error.idempotencyKey ?? "no key")
        assert.strictEqual(error.verdict._tag, "Stop")
        assert.strictEqual((yield* Effect.flip(run)).reason, "unknownOutcome")
        assert.deepStrictEqual(ran, [1])

        const opened = yield* ledger.open("r")
        yield* opened.release(error.idempotencyKey ?? "")
        yield* run
        assert.deepStrictEqual(ran, [1, 2])
        assert.deepStrictEqual(yield* toldLast, [["again", false]])
      }).pipe(Effect.provide(Claude, { local: true })))

    it.effect("takes what somebody found out", () =>
      Effect.gen(function*() {
        const { keys, ledger, ran, run } = yield* interrupted({})
        const opened = yield* ledger.open("r")
        yield* opened.finish([...keys][0] ?? "", { content: "found", isError: false })
        yield* run
        assert.deepStrictEqual(ran, [1])
        assert.deepStrictEqual(yield* toldLast, [["found", false]])
      }).pipe(Effect.provide(Claude, { local: true })))

    it.effect("runs an idempotent one again, with the same key", () =>
      Effect.gen(function*() {
        const { keys, ran, run } = yield* interrupted({ idempotent: true })
        yield* run
        assert.deepStrictEqual(ran, [1, 2])
        assert.strictEqual(keys.size, 1)
      }).pipe(Effect.provide(Claude, { local: true })))

    it.effect("asks one that can recover, and runs it only if it had no effect", () =>
      Effect.gen(function*() {
        const known = yield* interrupted({ recover: () => Effect.succeedSome("recovered") })
        yield* known.run
        assert.deepStrictEqual(known.ran, [1])
        assert.deepStrictEqual(yield* toldLast, [["recovered", false]])
        yield* known.run
      }).pipe(Effect.provide(Claude, { local: true })))

    it.effect("and runs it if it had none", () =>
      Effect.gen(function*() {
        const nothing = yield* interrupted({ recover: () => Effect.succeedNone })
        yield* nothing.run
        assert.deepStrictEqual(nothing.ran, [1, 2])
      }).pipe(Effect.provide(Claude, { local: true })))

    it.effect("and stops if it cannot tell either", () =>
      Effect.gen(function*() {
        const lost = yield* interrupted({ idempotent: true, recover: () => Effect.fail("no answer") })
        const error = yield* Effect.flip(lost.run)
        assert.strictEqual(error.reason, "unknownOutcome")
        assert.strictEqual(error.cause, "no answer")
        assert.deepStrictEqual(lost.ran, [1])
      }).pipe(Effect.provide(Claude, { local: true })))
  })

  it.effect("that another process goes on with stops before its next tool", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const { ran, tool } = recorder()
      const gate = yield* Deferred.make<void>()
      const waits = ClaudeTool.make("waits", {
        description: "",
        input: Schema.Struct({}),
        run: () => Effect.as(Deferred.await(gate), "waited")
      })
      const tools = [waits, tool]
      const script = asks([["waits", {}], act("one")])
      const first = yield* Effect.forkChild(
        Effect.flip(runLoop(tools, { runId: "r", ledger })).pipe(
          Effect.provide(ClaudeTest.script([script]), { local: true })
        )
      )
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.flip(runLoop(tools, { runId: "r", ledger })).pipe(
        Effect.provide(ClaudeTest.script([]), { local: true })
      )
      // It does not run what the first one has begun, and the first one begins no other.
      assert.strictEqual(second.reason, "unknownOutcome")
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Fiber.join(first)
      assert.strictEqual(error.reason, "ledger")
      assert.strictEqual(error.ledgerError?.reason, "takenOver")
      assert.deepStrictEqual(ran, [])
    }))

  it.effect("does not go on with what it cannot read, and changes nothing of it", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const ledger = yield* PersistedToolLedger.fromKeyValueStore({ prefix: "runs/" })
      const { tool } = recorder()
      const run = (runId: string) => runLoop([tool], { runId, ledger })
      yield* run("r")
      const keys = yield* store.keys
      const finished = keys.find((key) => key.endsWith("/finished")) ?? ""
      const other = `{"format":"effect-claude/tool-run/1","run":"other","value":{"_tag":"Spent"}}\n`
      const wrongs: ReadonlyArray<readonly [key: string, text: string]> = [
        ["runs/r/entry/1", `{"some":"json"}\n`],
        ["runs/r/entry/0", "not ours at all"],
        ["runs/r/entry/1", other],
        ["runs/r/entry/1", `{"format":"effect-claude/tool-run/2","run":"r","value":{}}\n`],
        ["runs/r/entry/1", `{"format":"effect-claude/tool-run/1","run":"r","value":{"_tag":"Answered"}}\n`],
        // Whole once, and cut since: the one after it is there.
        ["runs/r/entry/1", `{"format":"effect-claude/tool-run/1","run":"r","val`],
        [
          "runs/r/entry/0",
          `{"format":"effect-claude/tool-run/1","run":"r","value":{"_tag":"Spent","usage":{"inputTokens":0,`
          + `"outputTokens":0,"cacheReadTokens":0,"cacheWriteTokens":0}}}\n`
        ]
      ]
      for (const [key, text] of wrongs) {
        const before = yield* store.get(key)
        yield* store.set(key, text)
        const error = yield* Effect.flip(run("r"))
        assert.strictEqual(error.ledgerError?.reason, "corrupt", text)
        if (error.ledgerError?.key !== undefined) assert.strictEqual(`runs/${error.ledgerError.key}`, key)
        assert.strictEqual(yield* store.get(key), text)
        yield* store.set(key, before ?? "")
      }
      // The result of a tool too, where it is needed.
      yield* store.remove("runs/r/entry/3")
      yield* store.remove("runs/r/entry/2")
      const result = yield* store.get(finished)
      yield* store.set(finished, "[]\n")
      const error = yield* Effect.flip(run("r"))
      assert.strictEqual(error.ledgerError?.reason, "corrupt")
      yield* store.set(finished, result ?? "")
      yield* run("r")

      yield* ledger.forget("r")
      assert.deepStrictEqual(yield* store.keys, [])
    }).pipe(
      Effect.provide([ClaudeTest.script([asks([act("one")]), done, done]), KeyValueStore.layerMemory])
    ))

  it.effect("is not held up for ever by a store that hangs", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      const ledger = yield* PersistedToolLedger.fromKeyValueStore({ timeout: "5 seconds" }).pipe(
        Effect.provideService(KeyValueStore.KeyValueStore, {
          ...store,
          set: (key, value) => key.endsWith("/finished") ? Effect.uninterruptible(Effect.never) : store.set(key, value)
        })
      )
      const fiber = yield* Effect.forkChild(Effect.flip(runLoop([recorder().tool], { runId: "r", ledger })))
      let seconds = 0
      for (; fiber.pollUnsafe() === undefined && seconds < 30; seconds++) yield* TestClock.adjust("1 second")
      assert.isAtLeast(seconds, 5)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.ledgerError?.reason, "write")
      assert.throws(() => PersistedToolLedger.fromKeyValueStore({ timeout: 0 }), RangeError, `option "timeout"`)
    }).pipe(Effect.provide([ClaudeTest.script([asks([act("one")])]), KeyValueStore.layerMemory])))

  it.effect("stops when the store fails, and goes on when it is back", () =>
    Effect.gen(function*() {
      const store = yield* KeyValueStore.KeyValueStore
      let isDown = false
      const ledger = yield* PersistedToolLedger.fromKeyValueStore().pipe(
        Effect.provideService(KeyValueStore.KeyValueStore, {
          ...store,
          set: (key, value) =>
            isDown
              ? Effect.fail(new KeyValueStore.KeyValueStoreError({ method: "set", message: "disk full", key }))
              : store.set(key, value)
        })
      )
      let ran = 0
      const tool = ClaudeTool.make("act", {
        description: "",
        input: Schema.Struct({ what: Schema.String }),
        run: () =>
          Effect.sync(() => {
            ran++
            isDown = true
          }),
        recover: () => Effect.succeedSome(undefined)
      })
      const run = runLoop([tool], { runId: "r", ledger })
      const error = yield* Effect.flip(run)
      assert.strictEqual(error.reason, "ledger")
      assert.strictEqual(error.ledgerError?.reason, "write")
      isDown = false
      yield* run
      assert.strictEqual(ran, 1)
    }).pipe(Effect.provide([ClaudeTest.script([asks([act("one")]), done]), KeyValueStore.layerMemory])))

  it.effect("takes other messages as long as the model has answered none", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const run = (content: string) =>
        runLoop([], { runId: "r", ledger, request: { ...request, messages: [{ role: "user", content }] } })
      yield* Effect.flip(run("wrong"))
      yield* Effect.flip(run("right"))
      yield* Effect.flip(run("right"))
      yield* run("right")
      const { transcript } = yield* run("too late")
      assert.deepStrictEqual(transcript[0], { role: "user", content: "right" })
      assert.deepStrictEqual((yield* requests).map(({ messages }) => messages[0]?.content), [
        "wrong",
        "right",
        "right",
        "right"
      ])
      assert.deepStrictEqual((yield* ledger.entries("r")).map(({ _tag }) => _tag), ["Began", "Began", "Answered"])
    }).pipe(Effect.provide(ClaudeTest.script([
      Fault.invalidRequest(),
      Fault.authentication(),
      Fault.authentication(),
      done
    ]))))

  it.effect("stops with an error for what cannot be written, whoever gave it", () =>
    Effect.gen(function*() {
      const bigint = ClaudeTool.make("act", {
        description: "",
        input: Schema.Struct({ what: Schema.String }),
        run: () => Effect.succeed([{ type: "text" as const, text: 1n as unknown as string }])
      })
      assert.strictEqual((yield* Effect.flip(runLoop([bigint]))).ledgerError?.reason, "write")
      const circle: Array<unknown> = []
      circle.push(circle)
      const messages = [{ role: "user" as const, content: circle as unknown as string }]
      const error = yield* Effect.flip(runLoop([], { request: { ...request, messages } }))
      assert.strictEqual(error.ledgerError?.reason, "write")
    }).pipe(Effect.provide(ClaudeTest.script([asks([act("one")])]))))

  it.effect("keeps runs apart whose ids begin alike", () =>
    Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      for (const runId of ["a", "a/entry", "a/"]) {
        const run = yield* ledger.open(runId)
        yield* run.append({ _tag: "Began", messages: [{ role: "user", content: runId }] })
      }
      yield* ledger.forget("a")
      assert.deepStrictEqual(yield* ledger.entries("a"), [])
      assert.strictEqual((yield* ledger.entries("a/entry")).length, 1)
      assert.strictEqual((yield* ledger.entries("a/")).length, 1)
    }))
})

/** A store that dies in one of its writes, the beginning of which it keeps, and lets nothing through from then on. */
const dyingStore = (records: Map<string, string>, write: number, share: number) => {
  let writes = 0
  const isDead = () => writes >= write
  const store = KeyValueStore.makeStringOnly({
    get: (key) => Effect.sync(() => records.get(key)),
    set: (key, text) =>
      Effect.suspend(() => {
        if (++writes < write) return Effect.sync(() => void records.set(key, text))
        if (writes === write) records.set(key, text.slice(0, Math.round(text.length * share)))
        return Effect.never
      }),
    remove: (key) => Effect.sync(() => void records.delete(key)),
    clear: Effect.sync(() => records.clear()),
    size: Effect.sync(() => records.size),
    keys: Effect.sync(() => [...records.keys()])
  })
  return { store, isDead }
}

const ledgerOver = (store: KeyValueStore.KeyValueStore) =>
  PersistedToolLedger.fromKeyValueStore().pipe(Effect.provideService(KeyValueStore.KeyValueStore, store))

describe("a ledger whose writer dies in any of its writes, at any byte of it", () => {
  const answers = [asks([act("one"), act("two")]), asks([act("three")]), done]

  /** Tools whose effects last when their process does not. */
  const tool = (effects: Map<string, number>) =>
    ClaudeTool.make("act", {
      description: "",
      input: Schema.Struct({ what: Schema.String }),
      run: ({ what }, { idempotencyKey }) =>
        Effect.sync(() => {
          effects.set(idempotencyKey, (effects.get(idempotencyKey) ?? 0) + 1)
          return `did ${what}`
        }),
      recover: ({ what }, { idempotencyKey }) =>
        Effect.sync(() => effects.has(idempotencyKey) ? Option.some(`did ${what}`) : Option.none())
    })

  it.effect("leaves a run that goes on and runs every tool once", () =>
    Effect.gen(function*() {
      let deaths = 0
      for (let write = 1; write <= 14; write++) {
        for (const share of [0, 0.01, 0.3, 0.6, 0.9, 0.99, 1]) {
          const records = new Map<string, string>()
          const effects = new Map<string, number>()
          /** One process: whether it came to the end before it died. */
          const live = ({ isDead, store }: ReturnType<typeof dyingStore>) =>
            Effect.gen(function*() {
              const ledger = yield* ledgerOver(store)
              const answered = (yield* ledger.entries("r")).filter(({ _tag }) => _tag === "Answered").length
              const fiber = yield* Effect.forkDetach(
                runLoop([tool(effects)], { runId: "r", ledger }).pipe(
                  Effect.provide(ClaudeTest.script(answers.slice(answered)), { local: true })
                )
              )
              // A process that is dead ends neither well nor badly, and nobody waits for it.
              while (fiber.pollUnsafe() === undefined && !isDead()) yield* Effect.yieldNow
              if (isDead()) return false
              const { transcript } = yield* Fiber.join(fiber)
              assert.strictEqual(transcript.length, 6)
              return true
            })
          const survived = yield* live(dyingStore(records, write, share))
          if (!survived) deaths++
          yield* live(dyingStore(records, Number.POSITIVE_INFINITY, 1))
          assert.deepStrictEqual([...effects.values()], [1, 1, 1], `write ${write}, ${share} of it`)
        }
      }
      assert.strictEqual(deaths, 13 * 7)
    }), 30_000)
})

describe("two processes with one run, in any order of their steps", () => {
  it.effect("run no call of a tool twice", () =>
    Effect.gen(function*() {
      // Each store operation of either one waits for its turn, and the turns come in every order of the first twelve.
      for (let order = 0; order < 4096; order += 7) {
        const records = new Map<string, string>()
        const effects: Array<string> = []
        const turns: Array<Array<() => void>> = [[], []]
        const inTurn = (who: 0 | 1): KeyValueStore.KeyValueStore => {
          const wait = Effect.callback<void>((resume) => {
            turns[who]?.push(() => resume(Effect.void))
          })
          const { store } = dyingStore(records, Number.POSITIVE_INFINITY, 1)
          return {
            ...store,
            get: (key) => Effect.andThen(wait, store.get(key)),
            set: (key, value) => Effect.andThen(wait, store.set(key, value))
          }
        }
        const tool = ClaudeTool.make("act", {
          description: "",
          input: Schema.Struct({ what: Schema.String }),
          run: ({ what }, { idempotencyKey }) => Effect.sync(() => void effects.push(`${what} ${idempotencyKey}`))
        })
        const process = (who: 0 | 1) =>
          Effect.gen(function*() {
            const ledger = yield* ledgerOver(inTurn(who))
            return yield* Effect.result(runLoop([tool], { runId: "r", ledger }))
          }).pipe(
            Effect.provide(ClaudeTest.script([asks([act("one")]), done], { strict: false }), { local: true }),
            Effect.forkChild
          )
        const fibers = [yield* process(0), yield* process(1)]
        let step = 0
        while (fibers.some((fiber) => fiber.pollUnsafe() === undefined)) {
          for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
          const first = (order >> (step++ % 12)) & 1
          const next = turns[first]?.shift() ?? turns[1 - first]?.shift()
          next?.()
        }
        const results = yield* Effect.forEach(fibers, Fiber.join)
        assert.isAtMost(effects.length, 1, `order ${order}`)
        // Whoever is not done knows why: taken over, or a call of the other one that it does not know the end of.
        for (const result of results) {
          if (result._tag === "Failure") assert.include(["ledger", "unknownOutcome"], result.failure.reason)
        }
      }
    }), 30_000)
})

describe("a step that is repeated", () => {
  it.effect("after its answer was lost runs the tools of the new one under the same keys", () => {
    const { ran, tool } = recorder()
    return Effect.gen(function*() {
      const ledger = yield* ToolLedger.makeMemory
      const run = runLoop([tool], { runId: "r", ledger, retry: Schedule.recurs(0) })
      yield* Effect.flip(run)
      yield* run
      assert.deepStrictEqual(ran.map(({ what }) => what), ["one", "two"])
      assert.strictEqual((yield* requests).length, 4)
    }).pipe(
      Effect.provide(
        ClaudeTest.script([asks([act("one")]), Fault.streamInterrupted(), asks([act("two")]), Reply.text("Done.")])
      )
    )
  })
})

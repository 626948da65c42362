import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
import type { ToolLedger } from "@effect-claude/client/ToolLedger"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { AgentProcess } from "./toolLoop/AgentProcess.ts"
import type { FromAgent, Settings } from "./toolLoop/protocol.ts"

// What a process has compiled serves the next one, which halves the time it takes to load.
const compiled = mkdtempSync(join(tmpdir(), "tool-loop-compiled-"))
afterAll(() => rmSync(compiled, { recursive: true, force: true }))

const call = (name: string, what: string) => ({ type: "tool_use" as const, name, input: { what } })

/** Two tools in one step, one in the next, and the end. */
const answers: ReadonlyArray<FaultStep.MessageOptions> = [
  { content: [call("act_and_look", "book"), call("act_by_key", "charge")] },
  { content: [call("act_and_look", "mail")] },
  { text: "All done." }
]

const acts = ["book", "charge", "mail"]

interface Stage {
  readonly api: FakeClaudeApi.FakeClaudeApi["Service"]
  readonly ledger: ToolLedger
  readonly settings: Settings
  /** A process that has loaded its modules already. */
  readonly agent: Effect.Effect<AgentProcess>
}

/** A fake API, a directory for the ledger and one process after the other, the next of which loads meanwhile. */
const onStage = <A, E>(isStepped: boolean, use: (stage: Stage) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.gen(function*() {
    const scope = yield* Effect.scope
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "tool-loop-"))),
      (root) => Effect.sync(() => rmSync(root, { recursive: true, force: true }))
    )
    const api = yield* FakeClaudeApi.make()
    const directory = join(root, "runs")
    const store = yield* Layer.build(
      KeyValueStore.layerFileSystem(directory).pipe(
        Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
      )
    )
    const ledger = yield* Effect.provide(PersistedToolLedger.fromKeyValueStore(), store)
    const spawn = AgentProcess.spawn(compiled)
    let standby = yield* spawn
    return yield* use({
      api,
      ledger,
      settings: { url: api.url, runId: "r", directory, effects: join(root, "effects"), isStepped },
      agent: Effect.gen(function*() {
        const agent = standby
        standby = yield* Effect.provideService(spawn, Scope.Scope, scope)
        return agent
      })
    })
  }))

const effectsOf = ({ settings: { effects } }: Stage): ReadonlyArray<string> =>
  existsSync(effects) ? readFileSync(effects, "utf8").trim().split("\n") : []

/** Lets the API go on with the answers that the ledger does not have yet. */
const planAnswers = ({ api, ledger, settings }: Stage, options: FaultStep.StepOptions = {}) =>
  Effect.gen(function*() {
    const entries = yield* ledger.entries(settings.runId)
    const answered = entries.filter(({ _tag }) => _tag === "Answered").length
    yield* api.setPlan({
      steps: answers.slice(answered).map((answer) => FaultStep.message({ ...answer, ...options })),
      after: FaultStep.message({ text: "There is nothing left to say." })
    })
  })

type Verdict = "go" | "kill" | "kill in the request"

/** Starts a process and kills it where `judge` says so. What it said last, if it came to an end. */
const live = (stage: Stage, judge: (point: string) => Verdict) =>
  Effect.gen(function*() {
    yield* planAnswers(stage)
    const agent = yield* stage.agent
    yield* agent.start(stage.settings)
    while (true) {
      const message = yield* agent.next
      if (!("point" in message)) return message
      const verdict = judge(message.point)
      if (verdict === "kill") break
      if (verdict === "go") {
        yield* agent.go
        continue
      }
      yield* planAnswers(stage, { delay: "10 seconds" })
      const { length } = yield* stage.api.requests
      yield* agent.go
      yield* stage.api.awaitRequests(length + 1)
      break
    }
    yield* agent.kill
    return undefined
  })

type Last = Exclude<FromAgent, { readonly point: string }> | undefined

const assertDone = (stage: Stage, last: Last) => {
  if (last === undefined || !("done" in last)) return assert.fail(`not done: ${JSON.stringify(last)}`)
  const { steps, transcript } = last.done
  assert.strictEqual(steps, 3)
  assert.deepStrictEqual(transcript.map(({ role }) => role), [
    "user",
    "assistant",
    "user",
    "assistant",
    "user",
    "assistant"
  ])
  assert.deepStrictEqual(
    transcript.flatMap(({ content }) =>
      typeof content === "string" ? [] : content.flatMap((block) => block.type === "tool_result" ? [block.content] : [])
    ),
    acts.map((act) => `did ${act}`)
  )
  // Each effect once, each under a key of its own.
  const effects = effectsOf(stage)
  assert.deepStrictEqual(effects.map((line) => line.split(" ")[0]), acts)
  assert.strictEqual(new Set(effects).size, acts.length)
}

/** A point without the number of the attempt: a call that was begun before is begun again at the same place. */
const placeOf = (point: string): string => point.replace(/\/\d+\/started$/, "/started")

describe("a process that is killed", () => {
  it.live("at every step, one after the other, runs every tool once", () =>
    Effect.gen(function*() {
      const places = new Set<string>()
      yield* onStage(true, (stage) =>
        Effect.gen(function*() {
          const last = yield* live(stage, (point) => {
            places.add(placeOf(point))
            return "go"
          })
          assertDone(stage, last)
        }))

      const killedAt = new Set<string>()
      yield* onStage(true, (stage) =>
        Effect.gen(function*() {
          let last: Last
          do {
            last = yield* live(stage, (point) => {
              const place = placeOf(point)
              if (!killedAt.has(place)) {
                killedAt.add(place)
                return "kill"
              }
              const request = place.replace("before the model", "in the model")
              if (request === place || killedAt.has(request)) return "go"
              killedAt.add(request)
              return "kill in the request"
            })
          } while (last === undefined)
          assertDone(stage, last)
        }))

      // The same keys in other processes, and every place of an undisturbed run was one of death.
      for (const place of places) assert.include([...killedAt], place)
      assert.isAtLeast(killedAt.size, 31)
    }), 120_000)

  it.live("at any time runs every tool once", () =>
    Effect.gen(function*() {
      for (let lives = 0; lives < 2; lives++) {
        yield* onStage(false, (stage) =>
          Effect.gen(function*() {
            for (let deaths = 0; deaths < 3; deaths++) {
              yield* planAnswers(stage, { delay: "10 millis" })
              const agent = yield* stage.agent
              yield* agent.start(stage.settings)
              yield* Effect.sleep(`${yield* Random.nextIntBetween(1, 120)} millis`)
              yield* agent.kill
            }
            assertDone(stage, yield* live(stage, () => "go"))
          }))
      }
    }).pipe(Random.withSeed("kill")), 30_000)

  it.live(
    "inside a tool of which nobody can find out what it did stops the run instead of running it again",
    () =>
      onStage(true, (stage) =>
        Effect.gen(function*() {
          const steps = [
            FaultStep.message({ content: [call("act", "launch")] }),
            FaultStep.message({ text: "Launched." })
          ]
          yield* stage.api.setPlan({ steps })
          const first = yield* stage.agent
          yield* first.start(stage.settings)
          const until = (agent: AgentProcess, stop: (message: FromAgent) => boolean): Effect.Effect<FromAgent> =>
            Effect.flatMap(agent.next, (message) =>
              stop(message) || !("point" in message)
                ? Effect.succeed(message)
                : Effect.andThen(agent.go, until(agent, stop)))
          yield* until(first, (message) => "point" in message && message.point === "in launch, after its effect")
          yield* first.kill

          const second = yield* stage.agent
          yield* second.start(stage.settings)
          const stopped = yield* until(second, () => false)
          if (!("stopped" in stopped)) return assert.fail(JSON.stringify(stopped))
          const { idempotencyKey = "", reason, tool } = stopped.stopped
          assert.strictEqual(reason, "unknownOutcome")
          assert.strictEqual(tool, "act")
          assert.deepStrictEqual(effectsOf(stage), [`launch ${idempotencyKey}`])

          // Somebody looks, and tells the ledger.
          const run = yield* stage.ledger.open("r")
          yield* run.finish(idempotencyKey, { content: "launched", isError: false })
          const third = yield* stage.agent
          yield* third.start(stage.settings)
          const done = yield* until(third, () => false)
          assert.isTrue("done" in done, JSON.stringify(done))
          assert.deepStrictEqual(effectsOf(stage), [`launch ${idempotencyKey}`])
        })),
    30_000
  )
})

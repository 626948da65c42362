/**
 * The agent that the kill test kills: a process of its own that tells its parent where it is, and waits there to be let go or
 * killed.
 */
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import type { FromAgent, Settings, ToAgent } from "./protocol.ts"

const told = Effect.callback<ToAgent>((resume) => {
  process.once("message", (message: ToAgent) => resume(Effect.succeed(message)))
})

const tell = (message: FromAgent) =>
  Effect.callback<void>((resume) => {
    process.send?.(message, () => resume(Effect.void))
  })

const settings = await Effect.runPromise(Effect.andThen(tell({ ready: true }), told)).then((message): Settings => {
  if ("start" in message) return message.start
  throw new Error("told to go on before the start")
})

/** A place where the process may be killed. In a run that is not stepped through it says where it is and goes on. */
const point = (name: string) =>
  Effect.andThen(
    tell({ point: name }),
    settings.isStepped ? told : Effect.void
  )

/** Writes each record twice: first the half of it that a process leaves that is killed while it writes. */
const watched = (store: KeyValueStore.KeyValueStore): KeyValueStore.KeyValueStore => ({
  ...store,
  set: (key, value) =>
    Effect.gen(function*() {
      // A record of a call that is not there at all is like one that is torn; each costs the test a process.
      if (key.includes("/entry/")) yield* point(`before ${key}`)
      if (settings.isStepped) {
        yield* store.set(key, value.slice(0, value.length / 2))
        yield* point(`within ${key}`)
      }
      yield* store.set(key, value)
    })
})

const effects = (): ReadonlyArray<string> =>
  existsSync(settings.effects) ? readFileSync(settings.effects, "utf8").trim().split("\n") : []

const input = Schema.Struct({ what: Schema.String })

/** Does what it does in the file of effects, one line for each time. */
const act = ({ what }: typeof input.Type, { idempotencyKey }: ClaudeTool.ToolContext) =>
  Effect.gen(function*() {
    yield* point(`in ${what}, before its effect`)
    appendFileSync(settings.effects, `${what} ${idempotencyKey}\n`)
    yield* point(`in ${what}, after its effect`)
    return `did ${what}`
  })

const isDone = ({ what }: typeof input.Type, { idempotencyKey }: ClaudeTool.ToolContext) =>
  effects().includes(`${what} ${idempotencyKey}`)

const tools = [
  ClaudeTool.make("act_and_look", {
    description: "Acts; what it did can be found out",
    input,
    run: act,
    recover: (input, context) =>
      Effect.sync(() => isDone(input, context) ? Option.some(`did ${input.what}`) : Option.none())
  }),
  ClaudeTool.make("act_by_key", {
    description: "Acts through a service that does nothing for a key that it knows",
    input,
    run: (input, context) => isDone(input, context) ? Effect.succeed(`did ${input.what}`) : act(input, context),
    idempotent: true
  }),
  ClaudeTool.make("act", { description: "Acts; nobody can find out what it did", input, run: act })
]

const Claude = AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-kill-test"), baseUrl: settings.url })

const Store = Layer.effect(KeyValueStore.KeyValueStore, Effect.map(KeyValueStore.KeyValueStore, watched)).pipe(
  Layer.provide(KeyValueStore.layerFileSystem(settings.directory)),
  Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
)

const program = Effect.gen(function*() {
  const ledger = yield* PersistedToolLedger.fromKeyValueStore()
  return yield* ToolLoop.run({
    request: {
      model: "claude-sonnet-5-5",
      max_tokens: 1000,
      messages: [{ role: "user", content: "Do it" }]
    },
    tools,
    runId: settings.runId,
    ledger,
    onEvent: (event) => event._tag === "StepStarted" ? point(`step ${event.step}, before the model`) : Effect.void
  })
}).pipe(
  Effect.matchEffect({
    onSuccess: ({ steps, transcript, usage }) => tell({ done: { steps, transcript, usage } }),
    onFailure: ({ idempotencyKey, message, reason, tool }) =>
      tell({ stopped: { reason, message, tool, idempotencyKey } })
  }),
  Effect.provide([Claude, Store])
)

await Effect.runPromise(program)
process.disconnect()

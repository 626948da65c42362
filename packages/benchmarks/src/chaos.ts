import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Chaos from "@effect-claude/testing/Chaos"
import * as Reply from "@effect-claude/testing/Reply"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Contestant, inOneFiber } from "./compare.ts"
import { request } from "./stubs.ts"

const message = Reply.message("Hello!")

const instant: ClaudeServiceShape = {
  createMessage: () => Effect.succeed(message),
  streamMessage: () => Stream.fromIterable([{ type: "message_stop" as const }]),
  countTokens: () => Effect.succeed({ input_tokens: 1 })
}

const profiles = [...Chaos.overloadStorm(), ...Chaos.midStreamCuts()]

const service = (options: Chaos.ChaosOptions, operator?: Layer.Layer<Chaos.Switch>) => {
  const layer = Layer.succeed(ClaudeService, instant).pipe(Chaos.withChaos(profiles, options))
  return Effect.map(
    Layer.build(operator === undefined ? layer : layer.pipe(Layer.provide(operator))),
    (context) => Context.get(context, ClaudeService)
  )
}

const call = (name: string, claude: ClaudeServiceShape): Contestant =>
  inOneFiber(name, Effect.suspend(() => claude.createMessage(request)))

const stream = (name: string, claude: ClaudeServiceShape): Contestant =>
  inOneFiber(name, Effect.suspend(() => Stream.runDrain(claude.streamMessage(request))))

/** What chaos costs a call of a service that answers at once: switched off, as it is in production, and on without a hit. */
export const chaos = Effect.gen(function*() {
  const off = yield* service({})
  const switched = yield* service({}, Chaos.layerSwitch())
  const layer = Layer.succeed(ClaudeService, instant).pipe(
    Chaos.withChaos([Chaos.latency("1 second", { rate: 0 })], { enabled: true })
  )
  const on = yield* Effect.map(Layer.build(layer), (context) => Context.get(context, ClaudeService))
  const contestants: ReadonlyArray<Contestant> = [
    call("bare service", instant),
    call("chaos, off", off),
    call("chaos with a switch that is off", switched),
    call("chaos, on, no hit", on),
    stream("bare stream of one event", instant),
    stream("the same with chaos, off", off),
    stream("the same with a switch that is off", switched)
  ]
  return contestants
})

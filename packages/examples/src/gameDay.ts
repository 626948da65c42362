/**
 * A game day in a second: each of the seven profiles of trouble, ten virtual minutes long, against a bare client and against
 * `standard()`. In staging, `Chaos.withChaos` stands around the real client in place of the script, behind a switch.
 */
import { type ClaudeError, ClaudeLayer, ClaudeService } from "@effect-claude/client"
import { Chaos, ClaudeTest, Reply, VirtualTime } from "@effect-claude/testing"
import { Console, Effect, Exit, type Layer, Random, References } from "effect"

const profiles = {
  overloadStorm: Chaos.overloadStorm(),
  rateLimitWave: Chaos.rateLimitWave(),
  brownout: Chaos.brownout(),
  flappingNetwork: Chaos.flappingNetwork(),
  slowFirstByte: Chaos.slowFirstByte(),
  midStreamCuts: Chaos.midStreamCuts(),
  spendCap: Chaos.spendCap({ from: "5 minutes" })
}

const callers = 20
const callsEach = 10

const ask = (content: string): Effect.Effect<unknown, ClaudeError, ClaudeService> =>
  ClaudeService.use((claude) =>
    claude.createMessage({ model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content }] })
  )

/** Callers that ask about once a minute; the share of their calls that got an answer, in per cent. */
const traffic = Effect.gen(function*() {
  const caller = (name: number) =>
    Effect.forEach(Array.from({ length: callsEach }, (_, index) => index), (index) =>
      Effect.gen(function*() {
        yield* Effect.sleep(yield* Random.nextIntBetween(30_000, 90_000))
        return yield* Effect.exit(ask(`Question ${index} of caller ${name}`))
      }))
  const exits = yield* Effect.forEach(Array.from({ length: callers }, (_, name) => name), caller, {
    concurrency: "unbounded"
  })
  return 100 * exits.flat().filter(Exit.isSuccess).length / (callers * callsEach)
})

const run = (Claude: Layer.Layer<ClaudeService>) =>
  traffic.pipe(Effect.provide(Claude), VirtualTime.run, Random.withSeed("game day"))

const Api = ClaudeTest.always(Reply.text("Hello!"))

const program = Effect.forEach(Object.entries(profiles), ([name, profile]) =>
  Effect.gen(function*() {
    const Claude = Api.pipe(Chaos.withChaos(profile, { enabled: true, seed: "game day" }))
    const bare = yield* run(Claude)
    const standard = yield* run(Claude.pipe(ClaudeLayer.standard({ telemetry: false })))
    yield* Console.log(`${name.padEnd(16)} bare ${bare.toFixed(1)} %   standard() ${standard.toFixed(1)} %`)
  }), { discard: true })

await Effect.runPromise(Effect.provideService(program, References.MinimumLogLevel, "None"))

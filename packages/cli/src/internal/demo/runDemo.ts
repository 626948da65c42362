import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { callOurs } from "./OurCall.ts"
import type { Outcome } from "./Outcome.ts"
import { type Scenario, scenarios } from "./Scenario.ts"
import { callSdk, type Ended } from "./SdkCall.ts"

/** Both clients' ways through one fault. */
export interface Comparison {
  readonly id: string
  readonly fault: string
  readonly sdk: Outcome
  readonly effectClaude: Outcome
}

/** How long a call of the plain SDK is watched. Some of them would go on for an hour. */
export const watchFor = Duration.seconds(10)

/** Calls a fake API of its own that fails as the scenario says, and measures what reached it. */
const measured = (scenario: Scenario, call: (url: string) => Effect.Effect<Ended>) =>
  Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ plan: scenario.plan })
    const start = yield* Clock.currentTimeMillis
    const ended = yield* call(api.url)
    const millis = (yield* Clock.currentTimeMillis) - start
    const requests = yield* api.requests
    return { ...ended, requests: requests.length, millis } satisfies Outcome
  }))

const watched = (scenario: Scenario) => (url: string): Effect.Effect<Ended> =>
  Effect.suspend(() => {
    const signal = AbortSignal.timeout(Duration.toMillis(watchFor))
    return Effect.promise(() => callSdk(scenario, url, signal))
  })

const compare = (scenario: Scenario) =>
  Effect.all({
    sdk: measured(scenario, watched(scenario)),
    effectClaude: measured(scenario, (url) => callOurs(scenario, url))
  }, { concurrency: 2 }).pipe(
    Effect.map((outcomes): Comparison => ({ id: scenario.id, fault: scenario.fault, ...outcomes }))
  )

/** Runs every scenario, all at once; tells of each as it ends, and returns them in the order of the table. */
export const runDemo = (onEnd: (comparison: Comparison) => Effect.Effect<void>) =>
  Effect.forEach(scenarios, (scenario) => Effect.tap(compare(scenario), onEnd), { concurrency: "unbounded" })

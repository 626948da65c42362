/**
 * A fake API in a process of its own, so that a storm does not share its processor with its clients. It serves the plan it
 * is sent, and says what arrived when it is asked.
 */
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Effect from "effect/Effect"

/** What the server is told: to begin a plan, or to count the requests since. */
export type Command =
  | { readonly tell: "start"; readonly plan: FaultPlan.FaultPlanInput }
  | { readonly tell: "report" }

/** What the server says. Requests are counted by status, for each second since the plan began. */
export type Reply =
  | { readonly told: "listening"; readonly url: string }
  | { readonly told: "started" }
  | { readonly told: "report"; readonly seconds: ReadonlyArray<Readonly<Record<string, number>>> }

const reply = (message: Reply): void => {
  process.send?.(message)
}

const nextCommand = Effect.callback<Command>((resume) => {
  process.once("message", (command: Command) => resume(Effect.succeed(command)))
})

const countBySecond = (requests: ReadonlyArray<FakeClaudeApi.RecordedRequest>, startedAt: number) => {
  const seconds: Array<Record<string, number>> = []
  for (const { receivedAt, status } of requests) {
    const second = seconds[Math.floor((receivedAt - startedAt) / 1000)] ??= {}
    const key = String(status ?? "none")
    second[key] = (second[key] ?? 0) + 1
  }
  return Array.from(seconds, (second) => second ?? {})
}

const program = Effect.gen(function*() {
  const api = yield* FakeClaudeApi.make()
  reply({ told: "listening", url: api.url })
  let startedAt = 0
  while (true) {
    const command = yield* nextCommand
    if (command.tell === "start") {
      yield* api.clearRequests
      yield* api.setPlan(command.plan)
      startedAt = Date.now()
      reply({ told: "started" })
    } else {
      reply({ told: "report", seconds: countBySecond(yield* api.requests, startedAt) })
    }
  }
})

process.once("disconnect", () => process.exit(0))
await Effect.runPromise(Effect.scoped(program))

import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * A fake API in a process of its own. It sends its address to the process that started it, and ends when told to, so that a
 * profile of it is written.
 */
const program = Effect.gen(function*() {
  const plan = yield* FaultPlan.decodeJson(process.argv[2] ?? "{}")
  const api = yield* FakeClaudeApi.make({ plan })
  // As the command does, which serves for days.
  yield* Effect.forkScoped(Effect.repeat(api.clearRequests, Schedule.spaced("5 seconds")))
  process.send?.(api.url)
  yield* Effect.callback<void>((resume) => {
    process.once("message", () => resume(Effect.void))
  })
  process.send?.(process.resourceUsage().maxRSS)
})

await Effect.runPromise(Effect.scoped(program))
process.disconnect()

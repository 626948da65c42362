import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * A fake API in a process of its own. It sends its address to the process that started it, then what it has used whenever it is
 * asked, and ends when told to, so that a profile of it is written.
 */
const program = Effect.gen(function*() {
  const plan = yield* FaultPlan.decodeJson(process.argv[2] ?? "{}")
  const api = yield* FakeClaudeApi.make({ plan })
  // As the command does, which serves for days.
  yield* Effect.forkScoped(Effect.repeat(api.clearRequests, Schedule.spaced("5 seconds")))
  process.send?.(api.url)
  yield* Effect.callback<void>((resume) => {
    process.on("message", (message) => {
      const { maxRSS, systemCPUTime, userCPUTime } = process.resourceUsage()
      process.send?.({ peak: maxRSS, cpu: userCPUTime + systemCPUTime })
      if (message === "stop") resume(Effect.void)
    })
  })
})

await Effect.runPromise(Effect.scoped(program))
process.disconnect()

import { Anthropic } from "@anthropic-ai/sdk"
import { vi } from "@effect/vitest"
import { type OutageScenario, request, type StormLog } from "./ClockStorm.ts"

// A small generator of its own, since the SDK draws its jitter from `Math.random`.
const seeded = (seed: number) => () => {
  seed = Math.imul(seed ^ (seed >>> 15), seed | 1)
  seed ^= seed + Math.imul(seed ^ (seed >>> 7), seed | 61)
  return ((seed ^ (seed >>> 14)) >>> 0) / 2 ** 32
}

const message = JSON.stringify({
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: request.model,
  content: [{ type: "text", text: "Hello!" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 12, output_tokens: 3 }
})

const overloaded = JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** The same storm for callers that use the real SDK with its defaults, in the virtual time of Vitest's timers. */
export const runSdkStorm = async (scenario: OutageScenario): Promise<StormLog> => {
  const log: StormLog = { requests: [], calls: [] }
  const { down, end, latency, think } = scenario
  const turn = setImmediate
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 0 })
  const random = vi.spyOn(Math, "random").mockImplementation(seeded(7))
  try {
    const around = (mean: number) => mean * (0.5 + Math.random())
    const client = new Anthropic({
      apiKey: "sk-ant-storm",
      openTelemetry: false,
      logLevel: "off",
      fetch: async () => {
        const at = Date.now()
        const succeeded = at < down.from || at >= down.to
        log.requests.push({ at, succeeded })
        await sleep(succeeded ? around(latency) : latency / 10)
        return new Response(succeeded ? message : overloaded, {
          status: succeeded ? 200 : 529,
          headers: { "content-type": "application/json" }
        })
      }
    })
    const caller = async () => {
      await sleep(think * Math.random())
      while (Date.now() < end) {
        const startedAt = Date.now()
        const failure = await client.messages.create(request).then(
          () => undefined,
          (error: Error) => error.constructor.name
        )
        log.calls.push({ startedAt, endedAt: Date.now(), failure })
        await sleep(around(think))
      }
    }
    const all = Promise.all(Array.from({ length: scenario.callers }, caller))
    while (true) {
      await new Promise((resolve) => turn(resolve))
      if (vi.getTimerCount() === 0) break
      vi.advanceTimersToNextTimer()
    }
    await all
    return log
  } finally {
    random.mockRestore()
    vi.useRealTimers()
  }
}

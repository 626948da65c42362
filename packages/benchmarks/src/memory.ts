import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { line } from "./compare.ts"
import { heap, kilobytes } from "./heap.ts"
import { request, silentClient } from "./stubs.ts"

const inFlight = 10_000

const measure = async (
  start: () => () => Promise<unknown>
): Promise<{ readonly held: number; readonly left: number }> => {
  // Once beforehand, so that code and caches are there already.
  await start()()
  const before = await heap()
  const stop = start()
  const during = await heap()
  await stop()
  return { held: (during - before) / inFlight, left: ((await heap()) - before) / inFlight }
}

const effectCalls = (layer: Layer.Layer<ClaudeService>) => {
  const claude = Context.get(Effect.runSync(Effect.scoped(Layer.build(layer))), ClaudeService)
  return () => {
    const fibers = Array.from({ length: inFlight }, () => Effect.runFork(claude.createMessage(request)))
    return () => Effect.runPromise(Fiber.interruptAll(fibers))
  }
}

const sdkCalls = () => {
  const controllers = Array.from({ length: inFlight }, () => new AbortController())
  const calls = controllers.map(({ signal }) => silentClient.messages.create(request, { signal, maxRetries: 0 }))
  return () => {
    for (const controller of controllers) controller.abort()
    return Promise.allSettled(calls)
  }
}

/** The heap that a call in flight holds, and what is left of it afterwards. */
export const benchMemory = async (): Promise<ReadonlyArray<string>> => {
  const bare = AnthropicClient.fromClient(silentClient)
  const contestants = {
    "plain SDK": sdkCalls,
    "bare AnthropicClient": effectCalls(bare),
    "standard()": effectCalls(
      bare.pipe(ClaudeLayer.standard({ rateLimiter: false, concurrency: { permits: inFlight } }))
    ),
    "standard(), nearly all waiting for a permit": effectCalls(
      bare.pipe(ClaudeLayer.standard({ rateLimiter: false, concurrency: { permits: 1, queue: inFlight } }))
    )
  }
  const lines = [`(${inFlight} calls in flight, heap for each)`]
  let reference: number | undefined
  for (const [name, start] of Object.entries(contestants)) {
    const { held, left } = await measure(start)
    reference ??= held
    lines.push(line(name, kilobytes(held), `x ${(held / reference).toFixed(2)}`, `left ${kilobytes(left)}`))
  }
  return lines
}

import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { request, silentClient } from "./stubs.ts"

const inFlight = 10_000

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const heap = async (): Promise<number> => {
  for (let round = 0; round < 4; round++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`

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
    "standard()": effectCalls(bare.pipe(ClaudeLayer.standard()))
  }
  const lines = [`(${inFlight} calls in flight, heap for each)`]
  let reference: number | undefined
  for (const [name, start] of Object.entries(contestants)) {
    const { held, left } = await measure(start)
    reference ??= held
    lines.push(
      `${name.padEnd(44)} ${kilobytes(held).padStart(9)}      x ${(held / reference).toFixed(2)}, left afterwards ${
        kilobytes(left)
      }`
    )
  }
  return lines
}

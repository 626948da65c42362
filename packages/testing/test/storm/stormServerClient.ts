import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Effect from "effect/Effect"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Command, Reply } from "./StormServer.ts"

/** A server process, as its clients' process sees it. */
export interface StormServer {
  readonly url: string
  readonly start: (plan: FaultPlan.FaultPlanInput) => Effect.Effect<void>
  readonly report: Effect.Effect<ReadonlyArray<Readonly<Record<string, number>>>>
}

const nextReply = (child: ChildProcess): Effect.Effect<Reply> =>
  Effect.callback((resume) => {
    const onMessage = (message: Reply) => {
      child.off("exit", onExit)
      resume(Effect.succeed(message))
    }
    const onExit = (code: number | null) => {
      child.off("message", onMessage)
      resume(Effect.die(new Error(`The storm's server ended with code ${code}`)))
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })

const ask = (child: ChildProcess, command: Command): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    child.send(command)
    return nextReply(child)
  })

/** Starts a server process that ends with the scope. */
export const stormServer = Effect.gen(function*() {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(new URL("StormServer.ts", import.meta.url)), { execArgv: [] })),
    (child) => Effect.sync(() => child.kill())
  )
  const listening = yield* nextReply(child)
  if (listening.told !== "listening") return yield* Effect.die(new Error(`Expected an address, got ${listening.told}`))
  const server: StormServer = {
    url: listening.url,
    start: (plan) => Effect.asVoid(ask(child, { tell: "start", plan })),
    report: Effect.map(
      ask(child, { tell: "report" }),
      (reply) => reply.told === "report" ? reply.seconds : []
    )
  }
  return server
})

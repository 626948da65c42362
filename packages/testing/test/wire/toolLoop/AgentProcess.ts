import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { FromAgent, Settings, ToAgent } from "./protocol.ts"

const program = fileURLToPath(new URL("agent.ts", import.meta.url))

/** An agent in a process of its own, which ends with the scope at the latest. */
export class AgentProcess {
  readonly #child: ChildProcess
  readonly #messages: Queue.Queue<FromAgent>

  private constructor(child: ChildProcess, messages: Queue.Queue<FromAgent>) {
    this.#child = child
    this.#messages = messages
    child.on("message", (message: FromAgent) => Queue.offerUnsafe(messages, message))
  }

  /** Starts the process, which loads its modules and waits. What it has compiled is kept for the next one. */
  static spawn(compileCache: string): Effect.Effect<AgentProcess, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.map(Queue.unbounded<FromAgent>(), (messages) =>
        new AgentProcess(
          fork(program, [], { execArgv: [], env: { ...process.env, NODE_COMPILE_CACHE: compileCache } }),
          messages
        )),
      (agent) => agent.kill
    )
  }

  /** The next thing that it says. */
  get next(): Effect.Effect<FromAgent> {
    return Queue.take(this.#messages)
  }

  start(settings: Settings): Effect.Effect<void> {
    return Effect.andThen(this.next, this.#tell({ start: settings }))
  }

  get go(): Effect.Effect<void> {
    return this.#tell({ go: true })
  }

  /** Kills it, and waits until it is dead. */
  get kill(): Effect.Effect<void> {
    return Effect.promise(async () => {
      const isAlive = this.#child.exitCode === null && this.#child.signalCode === null
      if (!isAlive) return
      const exited = once(this.#child, "exit")
      this.#child.kill("SIGKILL")
      await exited
    })
  }

  #tell(message: ToAgent): Effect.Effect<void> {
    // One that was killed meanwhile hears of nothing, which is what the test is about.
    return Effect.callback((resume) => void this.#child.send(message, () => resume(Effect.void)))
  }
}

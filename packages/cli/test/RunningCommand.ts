import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../src/bin.ts", import.meta.url))

/** How a command ended, and what it wrote. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The `effect-claude` command in a process of its own, which ends with the scope at the latest. */
export class RunningCommand {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #listeners = new Set<() => void>()
  #stdout = ""
  #stderr = ""
  #ended: Ended | undefined

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text
      this.#changed()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text
    })
    child.once("close", (code, signal) => {
      this.#ended = { code, signal, stdout: this.#stdout, stderr: this.#stderr }
      this.#changed()
    })
  }

  static start(
    args: ReadonlyArray<string>,
    env: NodeJS.ProcessEnv = {}
  ): Effect.Effect<RunningCommand, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        const inherited = Object.entries(process.env).filter(([name]) => name !== "FORCE_COLOR")
        return new RunningCommand(
          spawn(process.execPath, [program, ...args], {
            env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env }
          })
        )
      }),
      (command) => Effect.sync(() => command.kill("SIGKILL"))
    )
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Waits until the command has ended. */
  get ended(): Effect.Effect<Ended> {
    return this.#until(() => this.#ended)
  }

  /** Waits for something in what the command writes to its stdout, and returns it; dies if the command ends without. */
  printed(pattern: RegExp): Effect.Effect<string> {
    return Effect.flatMap(
      this.#until(() => pattern.exec(this.#stdout)?.[0] ?? this.#ended),
      (found) =>
        typeof found === "string"
          ? Effect.succeed(found)
          : Effect.die(new Error(`ended without printing ${pattern}: ${JSON.stringify(found)}`))
    )
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }

  #until<A>(look: () => A | undefined): Effect.Effect<A> {
    return Effect.callback<A>((resume) => {
      const listener = () => {
        const found = look()
        if (found === undefined) return
        this.#listeners.delete(listener)
        resume(Effect.succeed(found))
      }
      this.#listeners.add(listener)
      listener()
      return Effect.sync(() => this.#listeners.delete(listener))
    })
  }
}

/** Runs the command to its end. */
export const run = (args: ReadonlyArray<string>, env?: NodeJS.ProcessEnv): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(RunningCommand.start(args, env), (command) => command.ended))

/**
 * The `effect-claude` command.
 *
 * **Example** (Running the command from a program)
 *
 * ```ts no-run
 * import * as Cli from "@effect-claude/cli/Cli"
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import * as Effect from "effect/Effect"
 *
 * Cli.run.pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
 * ```
 *
 * @since 0.1.0
 */
import * as Command from "effect/cli/Command"
import { demo } from "./internal/demoCommand.ts"
import { fakeApi } from "./internal/fakeApiCommand.ts"
import { version } from "./internal/version.ts"

/**
 * The command with its subcommands `demo` and `fake-api`.
 *
 * **Example** (Listing the subcommands)
 *
 * ```ts
 * import { command } from "@effect-claude/cli/Cli"
 * import { assert } from "@effect/vitest"
 *
 * assert.strictEqual(command.name, "effect-claude")
 * ```
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("effect-claude").pipe(
  Command.withDescription("Calls to Claude that survive: a demo, and a fake API to test against"),
  Command.withSubcommands([demo, fakeApi])
)

/**
 * Runs the command with the arguments of the process.
 *
 * **Example** (Printing the help)
 *
 * ```ts no-run
 * import { run } from "@effect-claude/cli/Cli"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import * as Effect from "effect/Effect"
 *
 * await Effect.runPromise(run.pipe(Effect.provide(NodeServices.layer)))
 * ```
 *
 * @category commands
 * @since 0.1.0
 */
export const run = Command.run(command, { version })

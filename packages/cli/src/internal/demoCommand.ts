import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { runLive } from "./demo/live.ts"
import { options as standardOptions } from "./demo/OurCall.ts"
import * as report from "./demo/report.ts"
import { runDemo, watchFor } from "./demo/runDemo.ts"
import { fallbackModel, model, scenarios } from "./demo/Scenario.ts"

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print the results as JSON and nothing else"),
  Flag.withDefault(false)
)

const live = Flag.Boolean("live").pipe(
  Flag.withDescription("Make one real call instead, with ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN"),
  Flag.withDefault(false)
)

const liveModel = Flag.String("model").pipe(
  Flag.withDescription(`The model of the real call; ${fallbackModel} unless given`),
  Flag.optional
)

const introduction = [
  `${scenarios.length} faults of a Claude API on loopback, each met twice: by the plain SDK with its defaults,`,
  `and by the same SDK behind ClaudeLayer.standard({ deadline: "${standardOptions.deadline}", `
  + `fallback: ${fallbackModel}, timeouts of about a second }).`,
  `Asked for: ${model}. The SDK's calls are watched for ${Duration.format(watchFor)}.`,
  report.signs,
  ""
].join("\n")

const compareAll = Effect.fn(function*(quiet: boolean) {
  if (!quiet) yield* Console.log(introduction)
  let done = 0
  const comparisons = yield* runDemo((comparison) =>
    Effect.suspend(() => {
      done++
      return quiet ? Effect.void : Console.log(report.progress(comparison, done, scenarios.length))
    })
  )
  yield* Console.log(
    quiet
      ? report.toJson(comparisons)
      : `\n${report.toTable(comparisons, process.stdout.columns)}`
  )
})

/** `effect-claude demo [--json] [--live [--model NAME]]` */
export const demo = Command.make(
  "demo",
  { json, live, liveModel },
  Effect.fn(function*({ json, live, liveModel }) {
    if (live) return yield* runLive({ model: Option.getOrElse(liveModel, () => fallbackModel), json })
    return yield* compareAll(json)
  })
).pipe(
  Command.validate(({ live, liveModel }) =>
    Option.isSome(liveModel) && !live
      ? Effect.fail(new CliError.ValidationError({ message: "--model is the model of the real call: add --live" }))
      : Effect.void
  ),
  Command.withDescription("Watch calls to a failing Claude API, with the plain SDK and with effect-claude"),
  Command.withExamples([
    { command: "effect-claude demo", description: "Run every fault and print a table" },
    { command: "effect-claude demo --json", description: "The same for machines" },
    { command: "effect-claude demo --live", description: "One real call" }
  ])
)

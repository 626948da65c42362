import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

const port = Flag.Int("port").pipe(
  Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
  Flag.withDescription("Port to listen on, on 127.0.0.1; 0 takes a free one"),
  Flag.withDefault(0)
)

const plan = Flag.File("plan", { mustExist: true }).pipe(
  Flag.withDescription("JSON file with the fault plan; without one every request gets a healthy answer"),
  Flag.optional
)

const faults = Flag.File("faults", { mustExist: true }).pipe(
  Flag.withDescription("The same as --plan, by its older name"),
  Flag.optional
)

const seed = Flag.String("seed").pipe(
  Flag.withDescription("Chooses which requests the shares of the plan strike, in the place of the plan's own seed"),
  Flag.optional
)

const control = Flag.Boolean("control").pipe(
  Flag.withDescription(
    "Let programs on this machine read and change the plan, read the requests, and begin spaces, under /_control"
  ),
  Flag.withDefault(false)
)

const log = Flag.Boolean("log").pipe(
  Flag.withDescription(
    "Print each request when it is over: method, path, model, status, how it ended, and after what time"
  ),
  Flag.withDefault(false)
)

const schema = Flag.Boolean("schema").pipe(
  Flag.withDescription("Print the JSON schema of plans and nothing else"),
  Flag.withDefault(false)
)

const readPlan = Effect.fn(function*(file: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const text = yield* fileSystem.readFileString(file)
  return yield* Effect.mapError(
    FaultPlan.decodeJson(text),
    ({ message }) => new FaultPlan.FaultPlanError({ message: `${file}: ${message}` })
  )
})

const lineOf = (
  { body, endedAt, method, number, outcome, path, receivedAt, status }: FakeClaudeApi.RecordedRequest,
  space: string | undefined
): string => {
  const model = Predicate.isObject(body) && Predicate.isString(body["model"]) ? body["model"] : "-"
  const millis = Math.round((endedAt ?? receivedAt) - receivedAt)
  const place = space === undefined ? "" : `${space} `
  // What a client sends must not move the cursor of the terminal.
  return `${place}#${number} ${method} ${path} ${model} ${status ?? "-"} ${outcome} ${millis} ms`
    .replace(/\p{Cc}/gu, "?")
}

/** `effect-claude fake-api --port N --plan FILE --seed TEXT --control --log`, or `effect-claude fake-api --schema` */
export const fakeApi = Command.make(
  "fake-api",
  { port, plan, faults, seed, control, log, schema },
  Effect.fn(function*({ control, faults, log, plan, port, schema, seed }) {
    if (schema) return yield* Console.log(JSON.stringify(FaultPlan.jsonSchema(), null, 2))
    const file = Option.orElse(plan, () => faults)
    const read = Option.isSome(file) ? yield* readPlan(file.value) : FaultPlan.healthy
    const lines = yield* Queue.unbounded<string>()
    const api = yield* FakeClaudeApi.make({
      port,
      plan: Option.isSome(seed) ? { ...read, seed: seed.value } : read,
      control,
      onEnded: log ? (request, space) => Queue.offerUnsafe(lines, lineOf(request, space)) : undefined
    })
    yield* Console.log(`The fake Claude API listens on ${api.url}`)
    yield* Console.log(`Try it: ANTHROPIC_BASE_URL=${api.url} ANTHROPIC_API_KEY=sk-ant-fake your-program`)
    if (control) yield* Console.log(`Program it: curl ${api.url}/_control`)
    // Unless somebody asks this server what reached it, the requests are kept for nothing, and for days would fill the memory.
    else yield* Effect.forkScoped(Effect.repeat(api.clearRequests, Schedule.spaced("5 seconds")))
    return yield* Effect.forever(Effect.flatMap(Queue.take(lines), Console.log))
  }, Effect.scoped)
).pipe(
  Command.validate(({ faults, plan }) =>
    Option.isSome(plan) && Option.isSome(faults)
      ? Effect.fail(new CliError.ValidationError({ message: "--faults is the older name of --plan: give one of them" }))
      : Effect.void
  ),
  Command.withDescription("Serve a fake Claude API on loopback that fails as its plan says"),
  Command.withExamples([
    { command: "effect-claude fake-api --port 4000", description: "A healthy API" },
    { command: "effect-claude fake-api --port 4000 --plan plan.json", description: "One that fails as planned" },
    { command: "effect-claude fake-api --port 4000 --control", description: "One that is programmed over HTTP" },
    { command: "effect-claude fake-api --schema > fault-plan.schema.json", description: "The JSON schema of plans" }
  ])
)

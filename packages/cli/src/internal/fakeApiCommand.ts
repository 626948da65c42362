import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

const port = Flag.Int("port").pipe(
  Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
  Flag.withDescription("Port to listen on, on 127.0.0.1; 0 takes a free one"),
  Flag.withDefault(0)
)

const faults = Flag.File("faults", { mustExist: true }).pipe(
  Flag.withDescription("JSON file with the fault plan; without one every request gets a healthy answer"),
  Flag.optional
)

const log = Flag.Boolean("log").pipe(
  Flag.withDescription(
    "Print each request when it is over: method, path, model, status, how it ended, and after what time"
  ),
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
  { body, endedAt, method, number, outcome, path, receivedAt, status }: FakeClaudeApi.RecordedRequest
): string => {
  const model = Predicate.isObject(body) && Predicate.isString(body["model"]) ? body["model"] : "-"
  const millis = Math.round((endedAt ?? receivedAt) - receivedAt)
  // What a client sends must not move the cursor of the terminal.
  return `#${number} ${method} ${path} ${model} ${status ?? "-"} ${outcome} ${millis} ms`.replace(/\p{Cc}/gu, "?")
}

/** `effect-claude fake-api --port N --faults FILE --log` */
export const fakeApi = Command.make(
  "fake-api",
  { port, faults, log },
  Effect.fn(function*({ faults, log, port }) {
    const plan = Option.isSome(faults) ? yield* readPlan(faults.value) : FaultPlan.healthy
    const api = yield* FakeClaudeApi.make({ port, plan })
    yield* Console.log(`The fake Claude API listens on ${api.url}`)
    yield* Console.log(`Try it: ANTHROPIC_BASE_URL=${api.url} ANTHROPIC_API_KEY=sk-ant-fake your-program`)
    if (log) {
      return yield* Effect.forever(
        Effect.flatMap(api.takeEnded, (ended) => Effect.forEach(ended, (request) => Console.log(lineOf(request))))
      )
    }
    // Nobody asks this server what reached it, and kept for days the requests would fill the memory.
    return yield* Effect.repeat(api.clearRequests, Schedule.spaced("5 seconds"))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Serve a fake Claude API on loopback that fails as its plan says"),
  Command.withExamples([
    { command: "effect-claude fake-api --port 4000", description: "A healthy API" },
    { command: "effect-claude fake-api --port 4000 --faults faults.json", description: "One that fails as planned" }
  ])
)

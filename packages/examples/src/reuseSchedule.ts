/**
 * The same retry schedule on services that are not Claude: an HTTP API, and a database.
 */
import { RetrySchedule, Verdict } from "@effect-claude/resilience"
import { Console, Duration, Effect, Layer, Option, Schema } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"

// An HTTP API: which of its failures are worth a retry, and how long it asks to wait.
const classifyHttp = (error: HttpClientError.HttpClientError): Verdict.Verdict => {
  if (error.response === undefined) return Verdict.retry("connection")
  const { headers, status } = error.response
  const seconds = Number(headers["retry-after"])
  if (status === 429) return Verdict.retry("rateLimited", seconds > 0 ? Duration.seconds(seconds) : undefined)
  return status >= 500 ? Verdict.retry("serverError") : Verdict.stop
}

// A database: SQLSTATE codes of serialization failures, deadlocks and lost connections.
class DbError extends Schema.TaggedError<DbError>()("DbError", { sqlState: Schema.String }) {}

const classifyDb = ({ sqlState }: DbError): Verdict.Verdict =>
  sqlState === "40001" || sqlState === "40P01"
    ? Verdict.retry("conflict")
    : sqlState.startsWith("08")
    ? Verdict.retry("connection")
    : Verdict.stop

const fetchWeather = HttpClient.get("https://weather.example/today").pipe(
  Effect.flatMap(HttpClientResponse.filterStatusOk),
  Effect.flatMap((response) => response.text),
  Effect.retry(RetrySchedule.standard({ base: "20 millis", classify: classifyHttp }))
)

// Stand-ins for the two servers, so that this program runs anywhere: each fails once, then answers.
let requests = 0
const Weather = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) =>
    Effect.sync(() => {
      requests++
      const response = requests === 1 ? new Response("busy", { status: 503 }) : new Response("sunny")
      return HttpClientResponse.fromWeb(request, response)
    })
  )
)

let queries = 0
const fetchRows = Effect.suspend(() => {
  queries++
  return queries === 1 ? Effect.fail(new DbError({ sqlState: "40001" })) : Effect.succeed(["a row"])
}).pipe(Effect.retry(RetrySchedule.standard({ base: "20 millis", classify: classifyDb })))

const program = Effect.gen(function*() {
  yield* Console.log(`weather: ${yield* fetchWeather}, after ${requests} requests`)
  yield* Console.log(`rows: ${(yield* fetchRows).length}, after ${queries} queries`)

  const broken = yield* Effect.fail(new DbError({ sqlState: "23505" })).pipe(
    Effect.retry(RetrySchedule.standard({ classify: classifyDb })),
    Effect.option
  )
  yield* Console.log(`a duplicate key is not retried: ${Option.isNone(broken)}`)
})

await Effect.runPromise(program.pipe(Effect.provide(Weather)))

import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Time } from "../PlanValues.ts"

/** What a reader of the requests waits for: so many that arrived or ended, within a time. */
export interface Awaited {
  readonly what: "arrived" | "ended"
  readonly count: number
  readonly within: Duration.Duration
}

const defaultWithin = Duration.seconds(10)

const decodeTime = Schema.decodeUnknownOption(Time)

const known = new Set(["arrived", "ended", "within"])

/** Reads `arrived=N` or `ended=N`, and `within=TIME`; nothing if there is nothing to wait for. */
export const awaitedRequests = (query: URLSearchParams): Result.Result<Awaited | undefined, string> => {
  const unknown = [...query.keys()].find((name) => !known.has(name))
  if (unknown !== undefined) return Result.fail(`${unknown}: Unknown parameter`)
  const arrived = query.get("arrived")
  const ended = query.get("ended")
  const within = query.get("within")
  if (arrived !== null && ended !== null) return Result.fail("Expected arrived or ended, not both")
  if (arrived === null && ended === null) {
    return within === null ? Result.succeed(undefined) : Result.fail("within: Expected arrived or ended beside it")
  }
  const what = arrived === null ? "ended" : "arrived"
  const count = arrived ?? ended ?? ""
  if (!/^\d{1,9}$/.test(count)) return Result.fail(`${what}: Expected a whole number from 0 up, got ${count}`)
  const time = within === null ? Option.some(defaultWithin) : decodeTime(timeOf(within))
  return Option.isNone(time)
    ? Result.fail(`within: Expected milliseconds, or a number and a unit, such as 2 seconds, got ${within ?? ""}`)
    : Result.succeed({ what, count: Number(count), within: time.value })
}

const timeOf = (text: string): string | number => /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text

import * as Duration from "effect/Duration"
import type { RecordedCall } from "../script/CallLog.ts"
import * as OptionCheck from "../script/OptionCheck.ts"
import { outcomeName } from "../timeline/describeCall.ts"
import { type Check, equal } from "./Check.ts"

/**
 * How long a wait between two attempts should have been.
 *
 * **Details**
 *
 * - a duration: so long, exactly;
 * - `atLeast`, `atMost`: within these bounds, both included;
 * - `base` and `jitter`: what a backoff of `base` may come to: `full` from nothing to `base`, `equal` from half of it, `none`
 *   exactly;
 * - `server`: what the server asked for, up to 20 % longer, which is the jitter of this toolkit's schedules.
 *
 * @category models
 * @since 0.1.0
 */
export type ExpectedWait =
  | Duration.Input
  | { readonly atLeast?: Duration.Input | undefined; readonly atMost?: Duration.Input | undefined }
  | { readonly base: Duration.Input; readonly jitter: "full" | "equal" | "none" }
  | { readonly server: Duration.Input }

export const requests = (calls: ReadonlyArray<RecordedCall>, expected: number): Check =>
  equal("requests sent:", calls.length, expected)

/**
 * The attempts of each call that the program made. A record has no mark of the call that an attempt belongs to: a first attempt
 * begins one, and another one goes on with the call whose request it repeats, or else of the same model, that failed last.
 */
export const groupAttempts = (calls: ReadonlyArray<RecordedCall>): ReadonlyArray<ReadonlyArray<RecordedCall>> => {
  const groups: Array<Array<RecordedCall>> = []
  // By their last attempt, or the calls of a storm would be looked through for each of its attempts.
  const lasts = new Map<string, Map<RecordedCall, Array<RecordedCall>>>()
  const lastsOf = (method: string, attempt: number) => {
    const key = `${method} ${attempt}`
    const found = lasts.get(key) ?? new Map<RecordedCall, Array<RecordedCall>>()
    lasts.set(key, found)
    return found
  }
  for (const call of calls) {
    const candidates = lastsOf(call.method, call.attempt - 1)
    const last = call.attempt === 1 ? undefined : findLast(candidates.keys(), call)
    const group = (last === undefined ? undefined : candidates.get(last)) ?? []
    if (last === undefined) groups.push(group)
    else candidates.delete(last)
    group.push(call)
    lastsOf(call.method, call.attempt).set(call, group)
  }
  return groups
}

/** The attempt that another one follows: with the same request, or else of the same model, or else any that ended. */
const findLast = (candidates: Iterable<RecordedCall>, { at, request }: RecordedCall): RecordedCall | undefined => {
  let sameModel: RecordedCall | undefined
  let any: RecordedCall | undefined
  for (const last of candidates) {
    if (last.endedAt !== undefined && last.endedAt > at) continue
    if (last.request === request) return last
    if (last.request.model === request.model) sameModel ??= last
    any ??= last
  }
  return sameModel ?? any
}

export const attempts = (calls: ReadonlyArray<RecordedCall>, expected: ReadonlyArray<number>): Check =>
  equal("attempts of each call:", groupAttempts(calls).map(({ length }) => length), expected)

const millis = (value: Duration.Input): number =>
  Duration.toMillis(OptionCheck.duration("ClaudeAssert.waits", "wait", value))

const boundsOf = (expected: ExpectedWait): readonly [least: number, most: number] => {
  if (typeof expected === "object" && !Array.isArray(expected) && !Duration.isDuration(expected)) {
    if ("base" in expected) {
      const base = millis(expected.base)
      return [expected.jitter === "none" ? base : expected.jitter === "equal" ? base / 2 : 0, base]
    }
    if ("server" in expected) {
      const asked = millis(expected.server)
      return [asked, asked * 1.2]
    }
    if (Object.keys(expected).length === 0) return [0, Number.POSITIVE_INFINITY]
    if ("atLeast" in expected || "atMost" in expected) {
      return [millis(expected.atLeast ?? 0), millis(expected.atMost ?? Duration.infinity)]
    }
  }
  const exact = millis(expected as Duration.Input)
  return [exact, exact]
}

const shortWait = (wait: number): string => Duration.format(Duration.millis(Math.round(wait)))

const shownBounds = ([least, most]: readonly [number, number]): string =>
  least === most ? shortWait(least) : `${shortWait(least)} to ${Number.isFinite(most) ? shortWait(most) : "any"}`

/** Waits are shown in whole milliseconds, and one may be expected as it is shown. */
const tolerance = 0.5

export const waitsOf = (calls: ReadonlyArray<RecordedCall>): ReadonlyArray<number> =>
  groupAttempts(calls)
    .flatMap((group) =>
      group.slice(1).map((call, index) => ({ at: call.at, wait: call.at - (group[index]?.endedAt ?? call.at) }))
    )
    .sort((left, right) => left.at - right.at)
    .map(({ wait }) => wait)

export const waits = (calls: ReadonlyArray<RecordedCall>, expected: ReadonlyArray<ExpectedWait>): Check => {
  const actual = waitsOf(calls)
  const bounds = expected.map(boundsOf)
  const within = (wait: number, index: number): boolean => {
    const [least, most] = bounds[index] ?? [Number.NaN, Number.NaN]
    return wait >= least - tolerance && wait <= most + tolerance
  }
  return {
    pass: actual.length === bounds.length && actual.every(within),
    promise: "waits between attempts:",
    actual: actual.map(shortWait),
    expected: bounds.map(shownBounds)
  }
}

/** Each model once in a row. */
export const models = (calls: ReadonlyArray<RecordedCall>, expected: ReadonlyArray<string>): Check =>
  equal(
    "models asked, in order:",
    calls.map(({ request }) => request.model).filter((model, index, all) => model !== all[index - 1]),
    expected
  )

export const outcomes = (calls: ReadonlyArray<RecordedCall>, expected: ReadonlyArray<string>): Check =>
  equal("outcomes of the requests:", calls.map(({ outcome }) => outcomeName(outcome)), expected)

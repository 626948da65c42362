import * as Duration from "effect/Duration"
import * as OptionCheck from "../OptionCheck.ts"
import type { BackoffOptions, Jitter } from "../RetrySchedule.ts"

/** Checked options, times in milliseconds. */
export interface Backoff {
  readonly base: number
  readonly cap: number
  readonly factor: number
  readonly jitter: Jitter
}

const jitters: ReadonlyArray<Jitter> = ["full", "equal", "decorrelated", "none"]

/** @param path What stands before an option's name in an error message: empty, or `kinds.overloaded.` */
export const make = (owner: string, path: string, options: BackoffOptions, defaults: Backoff): Backoff => {
  const base = options.base === undefined
    ? defaults.base
    : Duration.toMillis(OptionCheck.duration(owner, `${path}base`, options.base, {}))
  const cap = options.cap === undefined
    ? defaults.cap
    : Duration.toMillis(OptionCheck.duration(owner, `${path}cap`, options.cap, {}))
  const factor = options.factor === undefined
    ? defaults.factor
    : OptionCheck.number(owner, `${path}factor`, options.factor, 1)
  const jitter = options.jitter ?? defaults.jitter
  if (!jitters.includes(jitter)) {
    throw OptionCheck.refuse(owner, `${path}jitter`, `one of ${jitters.join(", ")}`, jitter)
  }
  if (options.jitter === "decorrelated" && options.factor !== undefined) {
    throw new RangeError(
      `${owner}: option "${path}factor" has no effect with jitter "decorrelated", got ${options.factor}`
    )
  }
  if (cap < base) {
    const millis = (value: number) => Duration.format(Duration.millis(value))
    throw new RangeError(
      `${owner}: option "${path}cap" must not be shorter than "${path}base", got cap ${millis(cap)} and base ${
        millis(base)
      }`
    )
  }
  return { base, cap, factor, jitter }
}

/**
 * The wait before retry number `retry`, counted from 1, in milliseconds; `random` is in [0, 1).
 *
 * @param previous The wait this function gave for the retry before, `undefined` for the first.
 */
export const wait = (backoff: Backoff, retry: number, previous: number | undefined, random: number): number => {
  const { base, cap, factor, jitter } = backoff
  if (jitter === "decorrelated") {
    const upper = Math.max(base, 3 * (previous ?? base))
    return Math.min(cap, base + random * (upper - base))
  }
  // A base of zero would turn an overflowing power into NaN.
  const ceiling = base === 0 ? 0 : Math.min(cap, base * Math.pow(factor, retry - 1))
  switch (jitter) {
    case "full":
      return random * ceiling
    case "equal":
      return ceiling / 2 + random * (ceiling / 2)
    case "none":
      return ceiling
  }
}

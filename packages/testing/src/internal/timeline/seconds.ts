import * as Duration from "effect/Duration"

/** A time in a column: seconds with three places, so that lines below each other can be compared. */
export const seconds = (millis: number): string => `${(millis / 1000).toFixed(3)} s`

/** A length of time as it is said, to the millisecond from one on. */
export const shortDuration = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  return Duration.format(Number.isFinite(millis) && millis >= 1 ? Duration.millis(Math.round(millis)) : duration)
}

/** A time at the beginning of a line. */
export const timeColumn = (millis: number): string => seconds(millis).padStart(12)

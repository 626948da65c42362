/** A time in a column: seconds with three places, so that lines below each other can be compared. */
export const seconds = (millis: number): string => `${(millis / 1000).toFixed(3)} s`

/** A time at the beginning of a line. */
export const timeColumn = (millis: number): string => seconds(millis).padStart(12)

/** How a call ended, as its caller sees it. */
export type Ending =
  /** A whole answer. */
  | "answered"
  /** A failure, told as one. */
  | "failed"
  /** No failure was told, and yet there is no whole answer. */
  | "wrong"
  /** Neither answer nor failure by the time we stopped watching. */
  | "waiting"

/** One client's way through one fault. */
export interface Outcome {
  readonly ending: Ending
  readonly what: string
  readonly tag: string | null
  readonly requests: number
  readonly millis: number
}

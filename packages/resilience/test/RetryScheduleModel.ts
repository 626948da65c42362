import type * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type * as Verdict from "@effect-claude/resilience/Verdict"

/** One failure as the model sees it; all times in milliseconds. */
export interface Step {
  readonly kind: Verdict.RetryKind | "stop"
  readonly after: number | undefined
}

export interface Options {
  readonly attempts: number
  readonly jitter: RetrySchedule.Jitter
  readonly base: number
  readonly cap: number
  readonly factor: number | undefined
  readonly kinds: Partial<Record<Verdict.RetryKind, { readonly base: number; readonly attempts: number }>>
  readonly serverWaitJitter: number
  readonly maxWait: number
}

interface Range {
  readonly least: number
  readonly most: number
}

/**
 * What the schedule may do, told without its code: a range for the backoff from the definition of each jitter, then the
 * promises one by one. `steps` is everything that failed so far, the failure in question last.
 */
export const allowed = (options: Options, steps: ReadonlyArray<Step>, remaining: number): {
  readonly mayStop: boolean
  readonly mayRetry: Range | undefined
} => {
  const last = steps.at(-1)
  const onlyStop = { mayStop: true, mayRetry: undefined }
  if (last === undefined || last.kind === "stop") return onlyStop
  // Within a deadline what was turned away before it was sent is no attempt, and its wait is taken as it is.
  const isFree = ({ kind }: Step) => kind === "rejected" && remaining !== Number.POSITIVE_INFINITY
  const ofKind = options.kinds[last.kind]
  const counted = steps.filter((step) => isFree(step) === isFree(last))
  if (!isFree(last) && counted.length >= options.attempts) return onlyStop
  if (ofKind !== undefined && counted.filter(({ kind }) => kind === last.kind).length >= ofKind.attempts) {
    return onlyStop
  }
  const after = last.after ?? 0
  if ((!isFree(last) && after > options.maxWait) || after >= remaining) return onlyStop
  if (isFree(last) && after > 0) return { mayStop: false, mayRetry: { least: after, most: after } }

  const backoff = backoffRange(options, ofKind?.base ?? options.base, counted.length)
  if (backoff.least >= remaining) return onlyStop
  const spread = last.kind === "rejected" ? 0 : options.serverWaitJitter
  return {
    mayStop: backoff.most >= remaining,
    mayRetry: {
      least: Math.max(after, backoff.least),
      most: Math.min(Math.max(backoff.most, after * (1 + spread)), remaining)
    }
  }
}

const backoffRange = (options: Options, base: number, retry: number): Range => {
  let ceiling = base
  for (let i = 1; i < retry && ceiling < options.cap; i++) ceiling *= options.factor ?? 2
  ceiling = Math.min(ceiling, options.cap)
  switch (options.jitter) {
    case "none":
      return { least: ceiling, most: ceiling }
    case "equal":
      return { least: ceiling / 2, most: ceiling }
    case "full":
      return { least: 0, most: ceiling }
    case "decorrelated":
      return { least: base, most: options.cap }
  }
}

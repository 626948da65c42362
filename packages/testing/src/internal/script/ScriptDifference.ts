import type { Thread } from "./Script.ts"
import type { Place } from "./Sequence.ts"
import { describeStep } from "./Step.ts"

const mostCalls = 3
const mostLines = 20

const describeCalls = (numbers: ReadonlyArray<number>, describe: (number: number) => string): string => {
  const shown = numbers.slice(0, mostCalls).map((number) => `call ${number}: ${describe(number)}`)
  return [...shown, ...(numbers.length > mostCalls ? [`${numbers.length - mostCalls} more`] : [])].join("; ")
}

interface Line {
  readonly isWrong: boolean
  readonly step: string
  readonly calls: string
}

const timesOf = ({ calls, times }: Place): string =>
  times === 1
    ? ""
    : times === Infinity
    ? " for ever"
    : ` ${times} times${calls.length < times ? `, not ${calls.length}` : ""}`

const isUnused = ({ isExpected }: Thread, { calls, times }: Place): boolean =>
  times === Infinity ? isExpected && calls.length === 0 : calls.length < times

const linesOf = (thread: Thread, describe: (number: number) => string): ReadonlyArray<Line> =>
  thread.sequence.places.map((place, index) => ({
    isWrong: isUnused(thread, place),
    step: `${index + 1}. ${describeStep(place.step)}${timesOf(place)}`,
    calls: place.calls.length === 0 ? "no call" : describeCalls(place.calls, describe)
  }))

/** The lines around those that are wrong, the first of which matters most. */
const shorten = (lines: ReadonlyArray<Line>): ReadonlyArray<Line | number> => {
  if (lines.length <= mostLines) return lines
  const from = Math.max(
    0,
    Math.min(lines.findIndex(({ isWrong }) => isWrong) - mostLines / 4, lines.length - mostLines)
  )
  const to = from + mostLines
  return [...(from > 0 ? [from] : []), ...lines.slice(from, to), ...(to < lines.length ? [lines.length - to] : [])]
}

const print = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const width = lines.reduce((width, { step }) => Math.max(width, step.length), 0)
  return shorten(lines).map((line) =>
    typeof line === "number"
      ? `    ... ${line} more`
      : `  ${line.isWrong ? "-" : " "} ${line.step.padEnd(width)}  ${line.calls}`
  )
}

/** What a script expected, and what was called. */
export interface Course {
  readonly threads: ReadonlyArray<Thread>
  /** The numbers of the calls for which there was no step. */
  readonly withoutStep: ReadonlyArray<number>
  readonly describe: (call: number) => string
}

/** The steps beside the calls, or `undefined` if there is one for the other. */
export const difference = ({ describe, threads, withoutStep }: Course): string | undefined => {
  const parts = threads.map((thread) => ({ title: thread.title, lines: linesOf(thread, describe) }))
  const unused = parts.reduce((sum, { lines }) => sum + lines.filter(({ isWrong }) => isWrong).length, 0)
  const calls = withoutStep.length
  if (unused === 0 && calls === 0) return undefined
  const said = [
    ...(unused === 0 ? [] : [`${unused} ${unused === 1 ? "step was" : "steps were"} not used up`]),
    ...(calls === 0 ? [] : [`${calls} ${calls === 1 ? "call" : "calls"} had no step`])
  ]
  return [
    `ClaudeTest: ${said.join(", and ")}`,
    ...parts.flatMap(({ lines, title }) => lines.length === 0 ? [] : [`  ${title}:`, ...print(lines)]),
    ...(calls === 0 ? [] : [`  + no step  ${describeCalls(withoutStep, describe)}`])
  ].join("\n")
}

import type { RecordedCall } from "../script/CallLog.ts"
import { describeDuration, describeOutcome } from "./describeCall.ts"
import { type AnyEvent, describeEvent } from "./describeEvent.ts"
import { timeColumn } from "./seconds.ts"

export interface TimedEvent {
  readonly at: number
  readonly event: AnyEvent
  /** How many calls had come; places it among calls of the same time. */
  readonly afterCalls?: number | undefined
}

interface Line {
  readonly at: number
  /** A call is at its number, an event half behind the last call before it. */
  readonly place: number
  readonly text: string
}

/** The longest of a column, as far as it stays a column. */
const widthOf = (texts: ReadonlyArray<string>): number =>
  Math.min(32, texts.reduce((most, { length }) => Math.max(most, length), 0))

const callLines = (calls: ReadonlyArray<RecordedCall>): ReadonlyArray<Line> => {
  const number = widthOf([`#${calls.length}`])
  const attempt = widthOf(calls.map((call) => String(call.attempt)))
  const model = widthOf(calls.map(({ request }) => request.model))
  const method = widthOf(calls.map((call) => call.method))
  return calls.map((call, index) => ({
    at: call.at,
    place: index + 1,
    text: [
      `#${index + 1}`.padEnd(number),
      `attempt ${String(call.attempt).padEnd(attempt)}`,
      ` ${call.request.model.padEnd(model)}`,
      ` ${call.method.padEnd(method)}`,
      ` ${describeOutcome(call)}${describeDuration(call)}`
    ].join(" ")
  }))
}

const eventLines = (events: ReadonlyArray<TimedEvent>, calls: ReadonlyArray<RecordedCall>): ReadonlyArray<Line> =>
  events.flatMap(({ afterCalls, at, event }) => {
    const text = describeEvent(event)
    if (text === undefined) return []
    const before = afterCalls ?? calls.findLastIndex((call) => call.at <= at) + 1
    return [{ at, place: before + 0.5, text: `   ${text}` }]
  })

/** Calls and events in the order of time, each on its line. */
export const linesOf = (
  calls: ReadonlyArray<RecordedCall>,
  events: ReadonlyArray<TimedEvent>,
  from: number
): ReadonlyArray<string> =>
  [...callLines(calls), ...eventLines(events, calls)]
    .sort((left, right) => left.at - right.at || left.place - right.place)
    .map(({ at, text }) => `${timeColumn(at - from)}  ${text}`)

/** The beginning and the end of a list that is too long to read. */
export const shorten = (lines: ReadonlyArray<string>, most: number): ReadonlyArray<string> => {
  if (lines.length <= most) return lines
  const head = Math.ceil(most / 2)
  const tail = most - head
  return [
    ...lines.slice(0, head),
    `${" ".repeat(14)}... ${lines.length - most} more lines ...`,
    ...(tail === 0 ? [] : lines.slice(-tail))
  ]
}

import { styleText } from "node:util"
import type { Outcome } from "./Outcome.ts"
import type { Comparison } from "./runDemo.ts"

/** The sums over all faults for one client. */
export interface Totals {
  readonly answered: number
  readonly failed: number
  readonly wrong: number
  readonly waiting: number
  readonly requests: number
  readonly millis: number
}

const sum = (outcomes: ReadonlyArray<Outcome>): Totals => {
  const count = (ending: Outcome["ending"]) => outcomes.filter((outcome) => outcome.ending === ending).length
  return {
    answered: count("answered"),
    failed: count("failed"),
    wrong: count("wrong"),
    waiting: count("waiting"),
    requests: outcomes.reduce((total, { requests }) => total + requests, 0),
    millis: outcomes.reduce((total, { millis }) => total + millis, 0)
  }
}

/** The sums over all faults for both clients. */
export const totals = (comparisons: ReadonlyArray<Comparison>) => ({
  sdk: sum(comparisons.map(({ sdk }) => sdk)),
  effectClaude: sum(comparisons.map(({ effectClaude }) => effectClaude))
})

/** What `--json` prints. */
export const toJson = (comparisons: ReadonlyArray<Comparison>): string =>
  JSON.stringify({ faults: comparisons, totals: totals(comparisons) }, undefined, 2)

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

const marks: Record<Outcome["ending"], { readonly sign: string; readonly style: "green" | "yellow" | "red" }> = {
  answered: { sign: "+", style: "green" },
  failed: { sign: "!", style: "yellow" },
  wrong: { sign: "x", style: "red" },
  waiting: { sign: ".", style: "red" }
}

const widths = { fault: 28, sdk: 36, ours: 48, requests: 4, time: 8 }

const cell = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

const outcomeCells = (outcome: Outcome, width: number): string => {
  const { sign, style } = marks[outcome.ending]
  const text = styleText(style, cell(`${sign} ${outcome.what}`, width))
  return `${text} ${String(outcome.requests).padStart(widths.requests)} ${
    seconds(outcome.millis).padStart(widths.time)
  }`
}

const wideRow = ({ effectClaude, fault, sdk }: Comparison): string =>
  `${cell(fault, widths.fault)}  ${outcomeCells(sdk, widths.sdk)}   ${outcomeCells(effectClaude, widths.ours)}`

const measures = `${"req".padStart(widths.requests)} ${"time".padStart(widths.time)}`

const wideHeader = [
  cell("fault", widths.fault),
  `  ${cell("plain SDK, its defaults", widths.sdk)} ${measures}`,
  `   ${cell("ClaudeLayer.standard()", widths.ours)} ${measures}`
].join("")

const wideWidth = wideHeader.length

const narrowRow = ({ effectClaude, fault, sdk }: Comparison): string =>
  [
    fault,
    `  plain SDK      ${outcomeCells(sdk, widths.ours)}`,
    `  effect-claude  ${outcomeCells(effectClaude, widths.ours)}`
  ].join("\n")

const narrowHeader = `${" ".repeat(17)}${cell("", widths.ours)} ${measures}`

const totalOf = (name: string, { answered, failed, millis, requests, waiting, wrong }: Totals): string =>
  `${name}: ${answered} answered, ${failed} failed with an error, ${wrong} wrong without one, `
  + `${waiting} still waiting; ${requests} requests, ${seconds(millis)}`

/** A line as soon as a fault has been through both clients. */
export const progress = ({ effectClaude, fault, sdk }: Comparison, done: number, all: number): string =>
  `[${String(done).padStart(2)}/${all}] ${fault}: SDK ${marks[sdk.ending].sign}, effect-claude ${
    marks[effectClaude.ending].sign
  }`

/** What the signs in front of an outcome mean. */
export const signs =
  "+ answered   ! failed with an error   x no whole answer and no error   . still waiting when we stopped watching"

const legend = [
  signs,
  "",
  "401, 413, the spend limit and a stream that breaks after some words cannot be mended by a retry: the right end is an",
  "error with a name, at once; standard({ streamRecovery: {} }) goes on with such a stream where it stopped. For the 429 of",
  "an hour each model was asked once. Times add up calls that ran side by side."
]

/** The table, then the totals, for a terminal of so many columns. */
export const toTable = (comparisons: ReadonlyArray<Comparison>, columns = Number.POSITIVE_INFINITY): string => {
  const { effectClaude, sdk } = totals(comparisons)
  const isWide = columns >= wideWidth
  return [
    styleText("bold", isWide ? wideHeader : narrowHeader),
    ...comparisons.map(isWide ? wideRow : narrowRow),
    "",
    ...legend,
    "",
    totalOf("plain SDK    ", sdk),
    totalOf("effect-claude", effectClaude)
  ].join("\n")
}

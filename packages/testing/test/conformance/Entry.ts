import type * as FaultStep from "@effect-claude/testing/FaultStep"
import type { FactRow } from "./FactRows.ts"
import type { Place } from "./Places.ts"

/** A fake API as a client reaches it. */
export interface Target {
  readonly url: string
  readonly fetch: typeof globalThis.fetch
}

/** The functions of `FaultStep`. */
export type Preset = {
  [Name in keyof typeof FaultStep]: (typeof FaultStep)[Name] extends (...args: never) => unknown ? Name : never
}[keyof typeof FaultStep]

/** A fault, and what each client sees of it, in the few words that `Observation.ts` and `Curl.ts` bring it to. */
export interface Entry {
  readonly name: string
  readonly row: FactRow
  readonly preset: Preset
  readonly step: FaultStep.FaultStep
  readonly stream?: boolean
  /** Fields of the request besides the usual ones. */
  readonly fields?: object
  /** What an unchanged client would wait for without end, so that it leaves when nothing more comes. */
  readonly leaves?: "without headers" | "in the body"
  /** Where a client meets on a socket what the step does in memory; without it, it meets it in memory only. */
  readonly place?: Place
  /** How the client gets its token, where that is what fails. */
  readonly credentials?: (target: Target) => () => Promise<{ readonly token: string; readonly expiresAt: null }>
  /** What the final message of the official SDK's stream helper is: `whole`, or its error and the causes of that. */
  readonly helper?: string
  /** Headers that the answer has besides those of every answer of the API. */
  readonly headers?: Readonly<Record<string, string | RegExp>>
  readonly sdk: string
  /** `-`: it is nothing that this client can meet. */
  readonly ai: string
  readonly curl: string
  readonly own: string
}

/** An error of the API in a JSON answer, which every client takes apart the same way. */
export const apiError = (
  row: FactRow,
  preset: Preset,
  name: string,
  step: FaultStep.StepOf<"error">,
  sdkClass: string,
  own: string,
  headers?: Entry["headers"]
): Entry => {
  const code = step.error.details?.["error_code"]
  return {
    name,
    row,
    preset,
    step,
    ...(headers === undefined ? {} : { headers }),
    sdk: `${sdkClass} ${step.status} ${step.error.type} ${typeof code === "string" ? code : "-"}`,
    ai: `APICallError ${step.status} ${step.error.type}`,
    curl: `0 ${step.status}`,
    own
  }
}

/** What the clients see of a healthy JSON answer, and of a healthy stream of the usual text. */
export const healthyJson = { sdk: "message end_turn", ai: "stop", curl: "0 200", own: "message" }
export const healthyStream = { sdk: "13 events, end", ai: "stop", curl: "0 200 13 events", own: "13 events" }

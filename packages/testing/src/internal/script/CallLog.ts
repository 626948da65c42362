import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type { CallOptions, CountTokensRequest, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"

export type CallOutcome =
  | { readonly _tag: "Pending" }
  | { readonly _tag: "Succeeded" }
  | { readonly _tag: "Failed"; readonly error: ClaudeError }
  | { readonly _tag: "Interrupted" }
  | { readonly _tag: "Died"; readonly defect: unknown }

interface Common {
  readonly options: CallOptions | undefined
  readonly attempt: number
  readonly at: number
  readonly endedAt: number | undefined
  readonly step: string | undefined
  readonly outcome: CallOutcome
}

export interface MessageCall extends Common {
  readonly method: "createMessage" | "streamMessage"
  readonly request: MessageRequest
}

export interface CountTokensCall extends Common {
  readonly method: "countTokens"
  readonly request: CountTokensRequest
}

export type RecordedCall = MessageCall | CountTokensCall

/** What a call is when it arrives. */
export type Arrival = Omit<MessageCall, "endedAt" | "outcome"> | Omit<CountTokensCall, "endedAt" | "outcome">

const interrupted: CallOutcome = { _tag: "Interrupted" }

const outcomeOf = <A>(exit: Exit.Exit<A, ClaudeError>): CallOutcome => {
  if (Exit.isSuccess(exit)) return { _tag: "Succeeded" }
  const error = Cause.findErrorOption(exit.cause)
  if (Option.isSome(error)) return { _tag: "Failed", error: error.value }
  return Cause.hasInterruptsOnly(exit.cause) ? interrupted : { _tag: "Died", defect: Cause.squash(exit.cause) }
}

/** The calls that reached a script, in the order in which they came. */
export class CallLog {
  readonly #calls: Array<RecordedCall> = []

  get size(): number {
    return this.#calls.length
  }

  snapshot(): ReadonlyArray<RecordedCall> {
    return [...this.#calls]
  }

  /** Notes a call; its number is the size of the log after that. */
  open(call: Arrival): void {
    this.#calls.push({ ...call, endedAt: undefined, outcome: { _tag: "Pending" } })
  }

  /** Notes how a call ended; the first word on it stands. */
  close(number: number, exit: Exit.Exit<unknown, ClaudeError>, endedAt: number): void {
    const call = this.#calls[number - 1]
    if (call?.outcome._tag === "Pending") this.#calls[number - 1] = { ...call, endedAt, outcome: outcomeOf(exit) }
  }
}

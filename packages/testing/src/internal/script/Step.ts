import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError, PartialAnswer } from "@effect-claude/client/ClaudeError"
import type { CallOptions, CountTokensRequest, MessageRequest } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"

/** The call that a step answers. */
export interface StepCall {
  readonly method: "createMessage" | "streamMessage" | "countTokens"
  /** 1 for the first call that reached the script. */
  readonly number: number
  readonly attempt: number
  /** Empty for an operation on batches. */
  readonly model: string
  readonly requestId: string
  readonly request: MessageRequest | CountTokensRequest
  readonly options: CallOptions | undefined
}

/** What of a call stands in its errors. */
export const errorFieldsOf = ({ attempt, model }: StepCall) => model === "" ? { attempt } : { attempt, model }

/** A time in which a stream sends nothing. */
export interface Pause {
  readonly type: "pause"
  readonly duration: Duration.Duration
}

/** What a stream is made of. */
export type Frame = MessageEvent | Pause

export interface Answer {
  readonly _tag: "Answer"
  /** An answer is stated as a message or as events, and each call gets it in the shape that it asked for. */
  readonly content:
    | { readonly _tag: "Message"; readonly message: (call: StepCall) => Message }
    | { readonly _tag: "Events"; readonly frames: (call: StepCall) => ReadonlyArray<Frame> }
}

export interface Computed {
  readonly _tag: "Computed"
  readonly answer: (call: StepCall) => Effect.Effect<Message, ClaudeError>
}

export interface Failure {
  readonly _tag: "Failure"
  readonly error: (call: StepCall, now: number) => ClaudeError
  /** The same trouble, when it strikes after the answer began to stream. */
  readonly midStream: (call: StepCall, partial: PartialAnswer, now: number) => ClaudeError
}

/** An answer that breaks off after so many events; `by` says how. */
export interface Broken {
  readonly _tag: "Broken"
  readonly content: Answer["content"]
  readonly afterEvents: number
  readonly by: "cut" | "stall" | "end" | { readonly failure: Failure; readonly delay: Duration.Duration }
}

export interface Hang {
  readonly _tag: "Hang"
}

export type Behavior = Answer | Computed | Failure | Broken | Hang

/**
 * One entry of a script. `label` names it in a few words; `delay` passes before anything of the answer arrives; `times` is
 * how many calls get it, if the test said so.
 */
export interface Step<out B extends Behavior = Behavior> extends Pipeable.Pipeable {
  readonly label: string
  readonly behavior: B
  readonly delay: Duration.Duration
  readonly times: number | undefined
}

export const makeStep = <B extends Behavior>(
  label: string,
  behavior: B,
  { delay = Duration.zero, times }: { readonly delay?: Duration.Duration; readonly times?: number | undefined } = {}
): Step<B> => Object.assign(new Pipeable.Class(), { label, behavior, delay, times })

/** What all steps have that come one after another. */
export type Entry = Pick<Step, "label" | "delay" | "times">

/** What a step does, in a few words. */
export const describeStep = ({ delay, label }: Entry): string =>
  Duration.isZero(delay) ? label : `${label}, delayed by ${Duration.format(delay)}`

const shownCharacters = 24

/** The beginning of a text that a test wrote, as it would write it. */
export const excerpt = (text: string): string => {
  const characters = Array.from(text)
  return JSON.stringify(
    characters.length <= shownCharacters ? text : `${characters.slice(0, shownCharacters - 1).join("")}…`
  )
}

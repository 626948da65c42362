import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { CallOptions, CountTokensRequest, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type * as Effect from "effect/Effect"
import type { Failure, Hang, Step } from "../script/Step.ts"
import { makeWindow, type Window, type WindowOptions } from "./Window.ts"

interface CommonCall {
  readonly options: CallOptions | undefined
  readonly attempt: number
}

export interface ChaosMessageCall extends CommonCall {
  readonly method: "createMessage" | "streamMessage"
  readonly request: MessageRequest
}

export interface ChaosCountCall extends CommonCall {
  readonly method: "countTokens"
  readonly request: CountTokensRequest
}

/**
 * A call that reached the chaos: a request about to be sent. `method` tells the types of `request` apart; `attempt` is the
 * number that the retry around gave it, counted from 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Call = ChaosMessageCall | ChaosCountCall

/**
 * A value, or a range of which each call draws one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Range<out A> {
  readonly min: A
  readonly max: A
}

export interface NumberRange extends Range<number> {}

/** What is injected. Numbers of milliseconds and of events are drawn for each call. */
export type Action<R> =
  | { readonly _tag: "fault"; readonly step: Step<Failure | Hang> }
  | { readonly _tag: "latency"; readonly at: "headers" | "events"; readonly millis: NumberRange }
  | { readonly _tag: "behavior"; readonly run: (call: Call) => Effect.Effect<unknown, never, R> }
  | { readonly _tag: "outcome"; readonly change: Change }

/** How the real answer is changed. */
export type Change =
  | { readonly _tag: "replace"; readonly answer: (message: Message, call: Call) => Message }
  | {
    readonly _tag: "endWith"
    readonly afterEvents: NumberRange
    readonly end: Pick<Message, "stop_reason" | "stop_details">
  }
  | {
    readonly _tag: "break"
    readonly afterEvents: NumberRange
    readonly by: "cut" | "stall" | "end" | Step<Failure>
  }

export interface Injection<out R = never> {
  readonly name: string
  readonly rate: number
  readonly window: Window
  readonly calls: ((call: Call) => boolean) | undefined
  readonly action: Action<R>
}

/**
 * How often, when and for which calls an injection happens.
 *
 * **Details**
 *
 * - `rate`: the share of the calls it happens to, from 0 to 1.
 * - `name`: what telemetry and logs call it; the name of the constructor by default. Of the same name and seed, the first of a
 *   list draws the same for a call whatever stands beside it.
 * - `calls`: which calls it may happen to; all by default.
 * - `from`, `to`, `every`, `for`: when, counted from when the chaos was turned on; always by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface InjectionOptions extends WindowOptions {
  readonly rate: number
  readonly name?: string | undefined
  readonly calls?: ((call: Call) => boolean) | undefined
}

export const makeInjection = <R>(
  owner: string,
  defaultName: string,
  options: InjectionOptions,
  action: Action<R>
): Injection<R> => ({
  name: options.name ?? defaultName,
  rate: OptionCheck.number(owner, "rate", options.rate, 0, 1),
  window: makeWindow(owner, options),
  calls: options.calls,
  action
})

const isRange = <A>(value: A | Range<A>): value is Range<A> =>
  typeof value === "object" && value !== null && "min" in value && "max" in value

export const rangeOf = <A>(
  owner: string,
  option: string,
  value: A | Range<A>,
  parse: (value: A) => number
): NumberRange => {
  const given = isRange(value) ? value : { min: value, max: value }
  const range = { min: parse(given.min), max: parse(given.max) }
  if (range.min > range.max) throw OptionCheck.refuse(owner, option, "a range whose min is at most its max", value)
  return range
}

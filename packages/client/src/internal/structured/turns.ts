import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import * as ClaudeAnswer from "../../ClaudeAnswer.ts"
import { type AnswerError, type ClaudeError, OutputInvalidError, StreamInterruptedError } from "../../ClaudeError.ts"
import type { CallOptions, ClaudeService, MessageRequest } from "../../ClaudeService.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { partialOf } from "../answer/partialOf.ts"
import { type Parts, partsOf, type Reader, type Reading } from "./readAnswer.ts"
import { answerTool, ask, callsOtherTool, type Plan, repairTurns, writeIssues } from "./strategy.ts"
import { type Glimpse, ValueWatch } from "./ValueWatch.ts"

/** What the turns of one call need to know. */
export interface Asking<A, R> {
  readonly plan: (model: string) => Plan
  /** The name of the tool that takes the answer. */
  readonly tool: string
  readonly read: Reader<A, R>
  readonly repairs: number
  readonly isKnownName: (name: string) => boolean
}

/** A value, and what it took. */
export interface Taken<A> {
  readonly value: A
  readonly message: Message
  readonly usage: TokenUsage.TokenUsage
  readonly turns: number
}

interface Turn {
  readonly request: MessageRequest
  /** The tool whose calls are the answer, if there is one. */
  readonly tool: string | undefined
  readonly number: number
  readonly usage: TokenUsage.TokenUsage
}

const firstTurn = <A, R>(asking: Asking<A, R>, request: MessageRequest): Turn => {
  const plan = asking.plan(request.model)
  return { request: ask(request, plan), tool: answerTool(plan), number: 1, usage: TokenUsage.zero }
}

/** What an answer is: the value, or an answer that does not fit. `isFinal` says that nobody is to be asked again. */
type Outcome<A> =
  | { readonly _tag: "Taken"; readonly taken: Taken<A>; readonly json: Schema.Json }
  | {
    readonly _tag: "Unfit"
    readonly issues: ReadonlyArray<string>
    readonly isFinal: boolean
    readonly error: () => OutputInvalidError
    readonly next: () => Turn
  }

// What is not whole is never read. An empty answer and an input that is no JSON can be repaired.
const accept = ["empty", "tool_input"] as const

const calledOtherTool: Reading<never> = {
  _tag: "Issues",
  issues: [{ message: "The model called a tool of the request instead of answering", path: [] }]
}

const judge = Effect.fnUntraced(function*<A, R>(
  asking: Asking<A, R>,
  turn: Turn,
  message: Message,
  parts: Parts
): Effect.fn.Return<Outcome<A>, never, R> {
  const usage = TokenUsage.add(turn.usage, TokenUsage.of(message))
  const isElsewhere = callsOtherTool(message, turn.tool)
  const reading = isElsewhere ? calledOtherTool : yield* asking.read(parts)
  if (reading._tag === "Value") {
    return { _tag: "Taken", taken: { value: reading.value, message, usage, turns: turn.number }, json: reading.json }
  }
  // Keys that the model made up may be text of the prompt.
  const issues = writeIssues(reading.issues, (key) => asking.isKnownName(key) ? key : "...")
  return {
    _tag: "Unfit",
    issues,
    isFinal: isElsewhere || turn.number > asking.repairs,
    error: () => unfit(message, { issues, text: writtenText(parts), usage, turns: turn.number }),
    next: () => ({
      ...turn,
      request: {
        ...turn.request,
        messages: [...turn.request.messages, ...repairTurns(message, reading.issues)]
      },
      number: turn.number + 1,
      usage
    })
  }
})

const counted = (count: number, noun: string): string => count === 1 ? `1 ${noun}` : `${count} ${noun}s`

const unfit = (message: Message, facts: {
  readonly issues: ReadonlyArray<string>
  readonly text: string
  readonly usage: TokenUsage.TokenUsage
  readonly turns: number
}): OutputInvalidError => {
  const { attempt, requestId } = AnswerInfo.of(message)
  const extent = `${counted(facts.issues.length, "issue")} after ${counted(facts.turns, "turn")}`
  return new OutputInvalidError({
    ...facts,
    ...(Predicate.isString(message.model) ? { model: message.model } : undefined),
    attempt,
    ...(requestId === undefined ? undefined : { requestId }),
    partial: partialOf(message),
    message: `The answer is not of the shape that was asked for (${extent})`
  })
}

/** What the model wrote, as a text: the inputs of the tool if it called it. */
const writtenText = ({ inputs, text }: Parts): string =>
  inputs.length === 0 ? text : inputs.map((input) => typeof input === "string" ? input : jsonText(input)).join("\n")

// An input that nests deeper than the stack is a model's doing, and no reason to die.
const jsonText = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return ""
  }
}

/** Reads one message, without asking anybody. */
export const readMessage = Effect.fnUntraced(function*<A, R>(
  asking: Asking<A, R>,
  message: Message
): Effect.fn.Return<A, AnswerError, R> {
  const failure = ClaudeAnswer.check(message, { accept })
  if (failure !== undefined) return yield* failure
  const turn: Turn = {
    request: { model: message.model, max_tokens: 1, messages: [] },
    tool: asking.tool,
    number: 1,
    usage: TokenUsage.zero
  }
  const outcome = yield* judge(asking, turn, message, partsOf(message, asking.tool))
  return outcome._tag === "Taken" ? outcome.taken.value : yield* outcome.error()
})

/** Asks until there is a value or no turn is left. */
export const answer = Effect.fnUntraced(function*<A, R>(
  asking: Asking<A, R>,
  request: MessageRequest,
  options?: CallOptions
): Effect.fn.Return<Taken<A>, ClaudeError, ClaudeService | R> {
  let turn = firstTurn(asking, request)
  for (;;) {
    const message = yield* ClaudeAnswer.ask(turn.request, { ...options, accept })
    const outcome = yield* judge(asking, turn, message, partsOf(message, turn.tool))
    if (outcome._tag === "Taken") return outcome.taken
    if (outcome.isFinal) return yield* outcome.error()
    turn = outcome.next()
  }
})

/** What a stream of a value shows. */
export type Shown<A> =
  | Glimpse
  | ({ readonly _tag: "Value" } & Taken<A>)

/** Asks as {@link answer} does, and shows what there is of the value while it is written. */
export const stream = <A, R>(
  asking: Asking<A, R>,
  request: MessageRequest,
  options?: CallOptions
): Stream.Stream<Shown<A>, ClaudeError, ClaudeService | R> => {
  const plan = asking.plan(request.model)

  const run = (turn: Turn): Stream.Stream<Shown<A>, ClaudeError, ClaudeService | R> =>
    Stream.suspend(() => {
      const watch = new ValueWatch(plan)
      const events = ClaudeAnswer.stream(turn.request, { ...options, accept })
      const rest = Effect.gen(function*() {
        const message = watch.message()
        if (message === undefined) {
          return yield* new StreamInterruptedError({
            message: "The stream ended before its message began",
            partial: watch.partial()
          })
        }
        const outcome = yield* judge(asking, turn, message, watch.parts(message))
        if (outcome._tag === "Taken") {
          const end: Shown<A> = { _tag: "Value", ...outcome.taken }
          return Stream.fromIterable<Shown<A>>(
            watch.contradicts(outcome.json) ? [{ _tag: "Restart", issues: [] }, end] : [end]
          )
        }
        if (outcome.isFinal) return yield* outcome.error()
        const again: Shown<A> = { _tag: "Restart", issues: outcome.issues }
        return Stream.concat(Stream.succeed(again), run(outcome.next()))
      })
      return Stream.concat(
        Stream.mapAccumArray(events, () => watch, (watch, events): readonly [ValueWatch, ReadonlyArray<Shown<A>>] => [
          watch,
          events.flatMap((event) => watch.add(event))
        ]),
        Stream.unwrap(rest)
      )
    })

  return Stream.suspend(() => run(firstTurn(asking, request)))
}

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type ClaudeError, OutputInvalidError, StreamInterruptedError } from "../../ClaudeError.ts"
import { type CallOptions, ClaudeService, type MessageRequest } from "../../ClaudeService.ts"
import { makeAccumulator, type MessageEvent } from "../../MessageEvents.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { answerFailure, answerFields } from "./answerFailure.ts"
import { isJsonObject, isSameJson } from "./jsonValue.ts"
import { PartialJson } from "./PartialJson.ts"
import { type Issue, type Parts, partsOf, type Reader } from "./readAnswer.ts"
import { ask, callsOtherTool, type Plan, repairTurns, writeIssues } from "./strategy.ts"

/** What the turns of one call need to know. */
export interface Asking<A, R> {
  readonly plan: (model: string) => Plan
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
  readonly number: number
  readonly usage: TokenUsage.TokenUsage
}

const firstTurn = <A, R>(asking: Asking<A, R>, request: MessageRequest): Turn => ({
  request: ask(request, asking.plan(request.model)),
  number: 1,
  usage: TokenUsage.zero
})

/** What follows from an answer: a value, or the turn that asks for a better one. */
type Outcome<A> =
  | { readonly _tag: "Taken"; readonly taken: Taken<A>; readonly json: Schema.Json }
  | { readonly _tag: "Again"; readonly turn: Turn; readonly issues: ReadonlyArray<string> }

const calledOtherTool: Issue = { message: "The model called a tool of the request instead of answering", path: [] }

const judge = Effect.fnUntraced(function*<A, R>(
  asking: Asking<A, R>,
  turn: Turn,
  message: Message,
  parts: Parts
): Effect.fn.Return<Outcome<A>, ClaudeError, R> {
  const failure = answerFailure(message)
  if (failure !== undefined) return yield* failure
  const { tool } = asking.plan(turn.request.model)
  const usage = TokenUsage.add(turn.usage, TokenUsage.of(message))
  const isElsewhere = callsOtherTool(message, tool)
  const reading = isElsewhere ? { _tag: "Issues" as const, issues: [calledOtherTool] } : yield* asking.read(parts)
  if (reading._tag === "Value") {
    return { _tag: "Taken", taken: { value: reading.value, message, usage, turns: turn.number }, json: reading.json }
  }
  // Keys that the model made up may be text of the prompt.
  const issues = writeIssues(reading.issues, (key) => asking.isKnownName(key) ? key : "...")
  if (isElsewhere || turn.number > asking.repairs) {
    const count = issues.length === 1 ? "1 issue" : `${issues.length} issues`
    const turns = turn.number === 1 ? "1 turn" : `${turn.number} turns`
    return yield* new OutputInvalidError({
      ...answerFields(message),
      message: `The answer is not of the shape that was asked for (${count} after ${turns})`,
      issues,
      text: writtenText(parts),
      usage,
      turns: turn.number
    })
  }
  const messages = [...turn.request.messages, ...repairTurns(message, reading.issues)]
  return { _tag: "Again", turn: { request: { ...turn.request, messages }, number: turn.number + 1, usage }, issues }
})

/** What the model wrote, as a text: the inputs of the tool if it called it. */
const writtenText = ({ inputs, text }: Parts): string =>
  inputs.length === 0 ? text : inputs.map((input) => typeof input === "string" ? input : jsonText(input)).join("\n")

const jsonText = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? ""
  } catch {
    return ""
  }
}

/** Reads one message, without asking anybody. */
export const readMessage = <A, R>(asking: Asking<A, R>, message: Message): Effect.Effect<A, ClaudeError, R> => {
  const { tool } = asking.plan(message.model)
  const turn: Turn = {
    request: { model: message.model, max_tokens: 1, messages: [] },
    number: 1,
    usage: TokenUsage.zero
  }
  return Effect.flatMap(
    judge({ ...asking, repairs: 0 }, turn, message, partsOf(message, tool)),
    (outcome) => outcome._tag === "Taken" ? Effect.succeed(outcome.taken.value) : Effect.die("no turn is left")
  )
}

/** Asks until there is a value or no turn is left. */
export const answer = Effect.fnUntraced(function*<A, R>(
  asking: Asking<A, R>,
  request: MessageRequest,
  options?: CallOptions
): Effect.fn.Return<Taken<A>, ClaudeError, ClaudeService | R> {
  const claude = yield* ClaudeService
  const { tool } = asking.plan(request.model)
  let turn = firstTurn(asking, request)
  for (;;) {
    const message = yield* claude.createMessage(turn.request, options)
    const outcome = yield* judge(asking, turn, message, partsOf(message, tool))
    if (outcome._tag === "Taken") return outcome.taken
    turn = outcome.turn
  }
})

/** What a stream of a value shows. */
export type Shown<A> =
  | { readonly _tag: "Partial"; readonly value: Schema.Json }
  | { readonly _tag: "Restart"; readonly issues: ReadonlyArray<string> }
  | ({ readonly _tag: "Value" } & Taken<A>)

/** Watches one turn of a stream: what there is to show, and the parts of its message as they were written. */
class Watch {
  private readonly plan: Plan
  private accumulator = makeAccumulator()
  private json = new PartialJson()
  /** The block that is shown: the first of its kind. */
  private block: number | undefined
  private readonly inputs = new Map<number, string>()
  private unwrapped: Schema.Json | undefined

  constructor(plan: Plan) {
    this.plan = plan
  }

  add(event: MessageEvent): ReadonlyArray<Shown<never>> {
    // A stream that begins again after it was lost.
    const isAnew = event.type === "message_start" && this.accumulator.message() !== undefined
    const restart = isAnew ? this.reset() : []
    this.accumulator.add(event)
    return [...restart, ...this.show(event)]
  }

  message(): Message | undefined {
    return this.accumulator.message()
  }

  partial() {
    return this.accumulator.partial()
  }

  parts(message: Message): Parts {
    // As it was written: parsed by somebody else, a key that stands twice would be there once.
    const inputs = [...this.inputs.values()].filter((text) => text !== "")
    const parts = partsOf(message, this.plan.tool)
    return inputs.length === parts.inputs.length ? { ...parts, inputs } : parts
  }

  /** Whether what was shown is no beginning of what was decoded. */
  contradicts(json: Schema.Json): boolean {
    return this.unwrapped !== undefined && !isSameJson(this.unwrapped, json)
  }

  hasShown(): boolean {
    return this.unwrapped !== undefined
  }

  private reset(): ReadonlyArray<Shown<never>> {
    const hadShown = this.hasShown()
    this.accumulator = makeAccumulator()
    this.json = new PartialJson()
    this.block = undefined
    this.unwrapped = undefined
    this.inputs.clear()
    return hadShown ? [{ _tag: "Restart", issues: [] }] : []
  }

  private show(event: MessageEvent): ReadonlyArray<Shown<never>> {
    if (event.type === "content_block_start") {
      const { content_block: block, index } = event
      if (block.type === "tool_use" && block.name === this.plan.tool) {
        this.inputs.set(index, "")
        if (this.plan.strategy === "tool") this.block ??= index
      } else if (block.type === "text" && this.plan.strategy !== "tool") {
        this.block ??= index
        if (this.block === index) return this.grow(block.text)
      }
    }
    if (event.type !== "content_block_delta") return []
    const { delta, index } = event
    if (delta.type === "input_json_delta") {
      const input = this.inputs.get(index)
      if (input !== undefined) this.inputs.set(index, input + delta.partial_json)
      return index === this.block ? this.grow(delta.partial_json) : []
    }
    return delta.type === "text_delta" && index === this.block ? this.grow(delta.text) : []
  }

  private grow(text: string): ReadonlyArray<Shown<never>> {
    if (!this.json.add(text)) return []
    const { snapshot } = this.json
    const { wrapper } = this.plan.wire
    const value = wrapper === undefined || snapshot === undefined
      ? snapshot
      : isJsonObject(snapshot)
      ? snapshot[wrapper]
      : undefined
    if (value === undefined || value === this.unwrapped) return []
    this.unwrapped = value
    return [{ _tag: "Partial", value }]
  }
}

/** Asks as {@link answer} does, and shows what there is of the value while it is written. */
export const stream = <A, R>(
  asking: Asking<A, R>,
  request: MessageRequest,
  options?: CallOptions
): Stream.Stream<Shown<A>, ClaudeError, ClaudeService | R> => {
  const plan = asking.plan(request.model)

  const run = (turn: Turn): Stream.Stream<Shown<A>, ClaudeError, ClaudeService | R> =>
    Stream.suspend(() => {
      const watch = new Watch(plan)
      const events = Stream.unwrap(
        Effect.map(ClaudeService, (claude) => claude.streamMessage(turn.request, options))
      )
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
        const again: Shown<A> = { _tag: "Restart", issues: outcome.issues }
        return Stream.concat(Stream.succeed(again), run(outcome.turn))
      })
      return Stream.concat(
        Stream.flatMap(events, (event) => Stream.fromIterable<Shown<A>>(watch.add(event))),
        Stream.unwrap(rest)
      )
    })

  return Stream.suspend(() => run(firstTurn(asking, request)))
}

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { AnswerError, ClaudeError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { withPartial } from "../errorCopy.ts"
import { addUsage, reportedUsage } from "../stream/usageSum.ts"
import { sendableContent, withTurn } from "./assistantTurn.ts"
import { contentOf } from "./blocks.ts"
import { partialOf } from "./partialOf.ts"
import { type Shortfall, shortfallError, shortfallOf } from "./shortfall.ts"

/** What is taken for a whole answer, and how often a turn that was paused is continued. */
export interface Settings {
  readonly accepts: (shortfall: Shortfall) => boolean
  readonly continuations: number
}

/** What a turn makes of an answer. */
export type Outcome =
  | { readonly _tag: "Whole"; readonly message: Message }
  | { readonly _tag: "Paused"; readonly request: MessageRequest }
  | { readonly _tag: "Short"; readonly error: AnswerError }

const told = (turn: Message): AnswerInfo.AnswerTurn => {
  const { attempt, requestId } = AnswerInfo.of(turn)
  return {
    id: turn.id,
    model: turn.model,
    stopReason: turn.stop_reason,
    usage: TokenUsage.of(turn),
    attempt,
    requestId
  }
}

// The API keeps the turns of a thread itself, and takes the next one in a form that depends on what it has.
const isThread = (request: MessageRequest): boolean =>
  Predicate.hasProperty(request, "thread") && request.thread !== null && request.thread !== undefined

type Container = MessageRequest["container"]

const containerOf = (asked: Container, { container }: Message): Container => {
  // Typed by the SDK, and left out by gateways.
  const id: string | undefined = (container as Message["container"] | undefined)?.id
  if (id === undefined || Predicate.isString(asked)) return asked
  return asked === null || asked === undefined ? id : { ...asked, id }
}

/**
 * An answer on its way: one turn of the API, and further ones as long as it pauses. Each turn's content goes back as it came, and
 * all turns together are the answer.
 */
export class Answer {
  private readonly request: MessageRequest
  private readonly settings: Settings
  private readonly turns: Array<Message> = []
  private events = 0

  constructor(request: MessageRequest, settings: Settings) {
    this.request = request
    this.settings = settings
  }

  /** Takes the next turn, which came in so many events if it was streamed, and says what the answer is with it. */
  add(turn: Message, events = 0): Outcome {
    this.turns.push(turn)
    this.events += events
    const message = this.joined(this.turns)
    const { accepts, continuations } = this.settings
    const isPaused = turn.stop_reason === "pause_turn"
    if (isPaused && this.turns.length <= continuations && !isThread(this.request)) {
      return { _tag: "Paused", request: this.continuation(message) }
    }
    const shortfall = shortfallOf(message, accepts)
    if (shortfall === undefined) return { _tag: "Whole", message }
    const circumstances = {
      info: AnswerInfo.of(turn),
      partial: partialOf(message, this.events),
      turns: this.turns.length
    }
    return { _tag: "Short", error: shortfallError(message, shortfall, circumstances) }
  }

  /** Whether the answer has gone beyond its first turn. */
  get isContinued(): boolean {
    return this.turns.length > 0
  }

  /** The turns of an answer that has several, as far as they have come. */
  get told(): ReadonlyArray<AnswerInfo.AnswerTurn> | undefined {
    return this.turns.length < 2 ? undefined : this.turns.map(told)
  }

  /** The failure of a turn, with what the turns before it brought: they are paid for. */
  readonly failure = (error: ClaudeError): ClaudeError => {
    if (this.turns.length === 0) return error
    const { partial } = error
    const before = contentOf(this.joined(this.turns)).length
    const message = this.joined(partial?.message === undefined ? this.turns : [...this.turns, partial.message])
    const unfinished = partial?.unfinished?.map((position) => before + position)
    return withPartial(error, {
      ...partialOf(message, this.events + (partial?.events ?? 0)),
      ...(unfinished === undefined ? undefined : { unfinished })
    })
  }

  private joined(turns: ReadonlyArray<Message>): Message {
    const [first, ...more] = turns as readonly [Message, ...Array<Message>]
    if (more.length === 0) return first
    const message = more.reduce<Message>((before, turn) => ({
      ...before,
      content: [...before.content, ...contentOf(turn)],
      stop_reason: turn.stop_reason,
      stop_sequence: turn.stop_sequence,
      stop_details: turn.stop_details,
      container: turn.container ?? before.container,
      usage: addUsage(reportedUsage(before.usage), reportedUsage(turn.usage)) as unknown as Message["usage"]
    }), { ...first, content: contentOf(first) })
    const parts = turns.flatMap((turn) => AnswerInfo.of(turn).parts ?? [])
    return AnswerInfo.annotate(message, {
      turns: turns.map(told),
      ...(parts.length === 0 ? undefined : { parts })
    })
  }

  private continuation(message: Message): MessageRequest {
    const { request } = this
    const content = sendableContent(contentOf(message))
    const container = containerOf(request.container, message)
    return {
      ...request,
      // Without content there is nothing to go on from, and the API takes no empty turn.
      ...(content.length === 0 ? undefined : { messages: withTurn(request.messages, content) }),
      ...(container === undefined ? undefined : { container })
    }
  }
}

import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import { type Accumulator, makeAccumulator, type MessageEvent } from "../../MessageEvents.ts"
import type { Answer, Outcome } from "./Answer.ts"

type Held = Extract<MessageEvent, { readonly type: "message_delta" | "message_stop" }>

const isEnd = (event: MessageEvent): event is Held => event.type === "message_delta" || event.type === "message_stop"

type Judged = Exclude<Outcome, { readonly _tag: "Whole" }> | {
  readonly _tag: "Whole"
  readonly events: ReadonlyArray<MessageEvent>
}

const whole = (events: ReadonlyArray<MessageEvent>): Judged => ({ _tag: "Whole", events })

/**
 * The streams of an answer's turns as one: one `message_start`, indexes that go on, one end. How a turn ends is held back until
 * it is known what it means: nobody is to see the end of an answer that goes on, or that is not whole.
 */
export class Splice {
  private readonly answer: Answer
  private accumulator: Accumulator = makeAccumulator()
  private held: Array<Held> = []
  private judged: Judged | undefined
  private events = 0
  /** Where the blocks of this turn begin. */
  private base = 0
  private nextIndex = 0
  private hasStart = false

  constructor(answer: Answer) {
    this.answer = answer
  }

  /** What is to be seen of these events now. */
  take(events: ReadonlyArray<MessageEvent>): ReadonlyArray<MessageEvent> {
    const shown: Array<MessageEvent> = []
    for (const event of events) {
      if (event.type !== "ping") this.events += 1
      this.accumulator.add(event)
      if (isEnd(event)) this.held.push(event)
      else this.show(event, shown)
      if (event.type !== "message_stop" || this.judged !== undefined) continue
      this.judged = this.judge()
      if (this.judged._tag !== "Whole") continue
      // At once, and not when the connection is done.
      shown.push(...this.judged.events)
      this.judged = whole([])
    }
    return shown
  }

  /** What this turn means, once its stream has ended. */
  endTurn(): Judged {
    const judged = this.judged ?? this.judge()
    if (judged._tag === "Paused") {
      this.accumulator = makeAccumulator()
      this.held = []
      this.judged = undefined
      this.events = 0
      this.base = this.nextIndex
    }
    return judged
  }

  readonly failure = (error: ClaudeError): ClaudeError => this.answer.failure(error)

  private show(event: MessageEvent, shown: Array<MessageEvent>): void {
    switch (event.type) {
      case "message_start":
        if (!this.hasStart) shown.push({ ...event, message: this.described(event.message) })
        this.hasStart = true
        break
      case "restart":
        // A recovery inside takes back what it knows of, which is this turn.
        this.held = []
        this.nextIndex = this.base + event.from
        this.hasStart = this.nextIndex > 0
        shown.push({ ...event, from: this.nextIndex })
        break
      case "content_block_start":
      case "content_block_delta":
      case "content_block_stop":
        this.nextIndex = Math.max(this.nextIndex, this.base + event.index + 1)
        shown.push(this.base === 0 ? event : { ...event, index: this.base + event.index })
        break
      default:
        shown.push(event)
    }
  }

  // Those who read the message when it is whole find its turns where the start of the first one said who answered.
  private described<A extends object>(message: A): A {
    const { answer } = this
    return AnswerInfo.annotate(message, {
      get turns() {
        return answer.told
      }
    })
  }

  private judge(): Judged {
    const turn = this.accumulator.message()
    // Without a start there is no message to judge; what is wrong with such a stream the client has said.
    if (turn === undefined) return whole(this.held)
    const isFirst = !this.answer.isContinued
    const outcome = this.answer.add(turn, this.events)
    if (outcome._tag !== "Whole") return outcome
    if (isFirst) return whole(this.held)
    const { container, stop_details, stop_reason, stop_sequence, usage } = outcome.message
    const { parts } = AnswerInfo.of(outcome.message)
    const delta = { container, stop_details, stop_reason, stop_sequence }
    // The last counts replace those of the start, so they are those of all turns.
    return whole([
      { type: "message_delta", delta: parts === undefined ? delta : AnswerInfo.annotate(delta, { parts }), usage },
      { type: "message_stop" }
    ])
  }
}

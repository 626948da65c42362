import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import type { Prices } from "../../Prices.ts"
import type { AttemptOutcome, AttemptReason } from "../../UsageLedger.ts"
import type { UsageScope } from "../callContext.ts"
import { property } from "../foreignError.ts"
import type { LearnedCosts } from "../limiter/LearnedCosts.ts"
import type { Book } from "./Book.ts"
import type { BudgetMeter } from "./BudgetMeter.ts"
import { nextCallId } from "./callId.ts"
import { meteredMessage, meteredStream } from "./metered.ts"
import { nanosOf, ratesFor, toUsd } from "./pricing.ts"
import type { Booking } from "./Tally.ts"
import type { Used } from "./used.ts"

/** A request that was sent for a call, from its start to its end. */
export interface AttemptNote {
  readonly model: string
  readonly attempt: number
  readonly hedge: number
  readonly reason: AttemptReason
  /** Whether another one of its hedges settled the call. */
  isLost: boolean
  /** Whether what it had brought is part of the answer, though others had to add to it. */
  isKept: boolean
  endedAt: number
  used: Used | undefined
  /** What the call around this one noted of the same request. */
  readonly outer: AttemptNote | undefined
}

export interface CallFacts {
  readonly model: string
  readonly key: string
  readonly books: ReadonlyArray<Book>
  readonly learned: LearnedCosts
  readonly prices: Prices
  readonly budgets: ReadonlyArray<BudgetMeter>
  readonly estimate: (request: MessageRequest) => number
  /** Whether it is over with its first request: nobody stands around who knows of the others. */
  readonly isSingle: boolean
}

const none: ReadonlyArray<never> = []

export const distinct = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values.length < 2 ? values : [...new Set(values)]

/** What gave an answer that no request of this call was made for. */
const asksNobody: ReadonlySet<AnswerInfo.Source["_tag"]> = new Set(["Cached", "Static", "HandOff"])

/** What one call uses, from its start to its end: what was sent for it, why, and what became of that. */
export class CallUsage implements UsageScope {
  readonly call: CallUsage = this
  readonly books = none
  readonly key: string | undefined
  readonly budgets: ReadonlyArray<BudgetMeter>
  readonly outer: CallUsage | undefined
  readonly prices: Prices
  readonly learned: LearnedCosts
  readonly estimate: (request: MessageRequest) => number
  lastFailure: ClaudeError | undefined
  private readonly facts: CallFacts
  private readonly ledgers: ReadonlyArray<Book>
  private readonly id: number
  private readonly notes: Array<AttemptNote> = []
  private going: "continue" | "restart" | undefined
  private isClosed = false

  constructor(facts: CallFacts, around: UsageScope | undefined) {
    this.facts = facts
    this.prices = facts.prices
    this.estimate = facts.estimate
    this.learned = facts.learned
    this.id = nextCallId()
    this.outer = around?.call
    this.key = around?.key
    this.budgets = around === undefined ? facts.budgets : distinct([...facts.budgets, ...around.budgets])
    this.ledgers = around === undefined ? facts.books : this.unheard([...facts.books, ...around.books])
  }

  effect(
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    effect: Effect.Effect<Message, ClaudeError>
  ): Effect.Effect<Message, ClaudeError> {
    return meteredMessage(this, fiber, request, effect)
  }

  stream(
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ): Stream.Stream<MessageEvent, ClaudeError> {
    return meteredStream(this, fiber, request, stream)
  }

  begin(model: string, attempt: number, hedge: number): AttemptNote {
    const note: AttemptNote = {
      model,
      attempt,
      hedge,
      reason: this.reasonFor(model, attempt, hedge),
      isLost: false,
      isKept: false,
      endedAt: 0,
      used: undefined,
      outer: this.outer?.begin(model, attempt, hedge)
    }
    if (hedge === 0) this.going = undefined
    this.notes.push(note)
    return note
  }

  end(note: AttemptNote, used: Used, at: number): void {
    note.used = used
    note.endedAt = at
    if (used.error !== undefined) this.lastFailure = used.error
    if (note.outer !== undefined) this.outer?.end(note.outer, used, at)
    if (this.facts.isSingle) this.close(used.end === "succeeded" ? used.answer : undefined)
    else if (this.isClosed) this.book([this.booking(note, used, false)], false)
  }

  hedgeLost(model: string, attempt: number, hedge: number): void {
    for (const note of this.notes) {
      if (note.used === undefined && note.hedge === hedge && note.attempt === attempt && note.model === model) {
        note.isLost = true
      }
    }
    this.outer?.hedgeLost(model, attempt, hedge)
  }

  goesOn(how: "continue" | "restart"): void {
    const last = this.notes.findLast(({ isLost, used }) => used !== undefined && !isLost)
    if (last !== undefined) last.isKept = true
    // What the consumer had of the answer is taken back.
    if (how === "restart") {
      for (const note of this.notes) note.isKept = false
    }
    this.going = how
    this.outer?.goesOn(how)
  }

  /** Books what was sent, now that it is known what became of it. `answer` is there if the call succeeded. */
  close(answer: object | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    const given = answer === undefined ? undefined : this.givenBy(answer)
    const gaveAnswer = (note: AttemptNote): boolean => answer !== undefined && (note === given || note.isKept)
    const bookings = this.notes.flatMap((note) =>
      note.used === undefined ? [] : [this.booking(note, note.used, gaveAnswer(note))]
    )
    if (bookings.length > 0) this.book(bookings, true)
  }

  /** The request that an answer came from. */
  private givenBy(answer: object): AttemptNote | undefined {
    if (asksNobody.has(AnswerInfo.of(answer).source._tag)) return undefined
    const succeeded = this.notes.filter(({ isKept, used }) => used?.end === "succeeded" && !isKept)
    const id = property(answer, "id")
    return succeeded.findLast(({ used }) => used?.answer === answer || property(used?.answer, "id") === id)
      ?? succeeded.at(-1)
  }

  private booking(note: AttemptNote, used: Used, isAnswer: boolean): Booking {
    const { attempt, endedAt, hedge, model, reason } = note
    const answering = used.servedBy ?? model
    const nanos = nanosOf(used.consumption, ratesFor(answering, this.prices))
    return {
      nanos,
      entry: {
        at: endedAt,
        callId: this.id,
        key: this.facts.key,
        model: answering,
        attempt,
        hedge,
        reason,
        outcome: isAnswer ? "answered" : outcomeOf(note, used),
        usage: used.consumption.usage,
        cost: nanos === undefined ? undefined : toUsd(nanos),
        isEstimated: used.isEstimated,
        error: used.error?._tag
      }
    }
  }

  private book(bookings: ReadonlyArray<Booking>, isNew: boolean): void {
    for (const book of this.ledgers) book.add(bookings, isNew)
  }

  private reasonFor(model: string, attempt: number, hedge: number): AttemptReason {
    if (hedge > 0) return "hedge"
    if (this.going === "continue") return "continuation"
    if (this.going === "restart" && model === this.facts.model) return "retry"
    const last = this.notes.at(-1)
    if (model === this.facts.model) {
      if (last === undefined) return "first"
      return attempt > 1 ? "retry" : "fallback"
    }
    return last !== undefined && last.model === model && attempt > last.attempt ? "retry" : "fallback"
  }

  /** The ledgers that do not hear of this from a call around it already. */
  private unheard(books: ReadonlyArray<Book>): ReadonlyArray<Book> {
    return distinct(books).filter((book) => {
      for (let call = this.outer; call !== undefined; call = call.outer) {
        if (call.ledgers.includes(book)) return false
      }
      return true
    })
  }
}

const outcomeOf = ({ isLost }: AttemptNote, { end }: Used): AttemptOutcome => {
  if (end === "succeeded") return isLost ? "lost" : "discarded"
  if (end === "failed") return "failed"
  return isLost ? "lost" : "interrupted"
}

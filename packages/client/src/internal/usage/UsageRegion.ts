import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import { ClaudeService, type MessageRequest } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import * as Prices from "../../Prices.ts"
import { CurrentUsageScope, type UsageScope } from "../callContext.ts"
import { estimateInput } from "../estimateInput.ts"
import { marksAttempts } from "../layer/attempts.ts"
import { LearnedCosts } from "../limiter/LearnedCosts.ts"
import type { Book } from "./Book.ts"
import type { BudgetMeter } from "./BudgetMeter.ts"
import { CallUsage, distinct } from "./CallUsage.ts"
import { unseen } from "./unseen.ts"

export const defaultKey = "default"

/** What a region adds to what is around it. */
export interface RegionFacts {
  readonly owner: string
  readonly budgets?: ReadonlyArray<BudgetMeter>
  readonly books?: ReadonlyArray<Book>
  readonly key?: string
}

/** A part of a program whose calls are charged to budgets, booked in a ledger, or have a key. */
class UsageRegion implements UsageScope {
  readonly call: CallUsage | undefined
  readonly budgets: ReadonlyArray<BudgetMeter>
  readonly books: ReadonlyArray<Book>
  readonly key: string | undefined
  private readonly around: UsageScope | undefined

  constructor({ books = [], budgets = [], key }: RegionFacts, around: UsageScope | undefined) {
    this.around = around
    this.call = around?.call
    this.budgets = distinct([...budgets, ...(around?.budgets ?? [])])
    this.books = distinct([...books, ...(around?.books ?? [])])
    this.key = key ?? around?.key
  }

  effect(
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    effect: Effect.Effect<Message, ClaudeError>
  ): Effect.Effect<Message, ClaudeError> {
    return this.callOf(request).effect(fiber, request, effect)
  }

  stream(
    fiber: Fiber.Fiber<unknown, unknown>,
    request: MessageRequest,
    stream: Stream.Stream<MessageEvent, ClaudeError>
  ): Stream.Stream<MessageEvent, ClaudeError> {
    return this.callOf(request).stream(fiber, request, stream)
  }

  hedgeLost(model: string, attempt: number, hedge: number): void {
    this.around?.hedgeLost(model, attempt, hedge)
  }

  goesOn(how: "continue" | "restart"): void {
    this.around?.goesOn(how)
  }

  /** Without a ledger's layer around the call nobody knows more of it than this attempt. */
  private callOf({ model }: MessageRequest): CallUsage {
    const facts = {
      model,
      key: this.key ?? defaultKey,
      books: [],
      learned: this.books[0]?.learned ?? new LearnedCosts(1),
      prices: this.books[0]?.prices ?? Prices.known,
      budgets: [],
      estimate: estimateInput,
      isSingle: true
    }
    return new CallUsage(facts, this)
  }
}

const refuseUnseen = (owner: string, fiber: Fiber.Fiber<unknown, unknown>): void => {
  const policies = Context.getOrUndefined(fiber.context, ClaudeService)?.policies
  if (policies === undefined || marksAttempts(policies)) return
  throw unseen(owner)
}

const open = (facts: RegionFacts, fiber: Fiber.Fiber<unknown, unknown>): UsageRegion => {
  refuseUnseen(facts.owner, fiber)
  return new UsageRegion(facts, fiber.getRef(CurrentUsageScope))
}

export const inRegion = <A, E, R>(self: Effect.Effect<A, E, R>, facts: RegionFacts): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => Effect.provideService(self, CurrentUsageScope, open(facts, fiber)))

export const streamInRegion = <A, E, R>(self: Stream.Stream<A, E, R>, facts: RegionFacts): Stream.Stream<A, E, R> =>
  Stream.unwrap(
    Effect.withFiber((fiber) => Effect.succeed(Stream.provideService(self, CurrentUsageScope, open(facts, fiber))))
  )

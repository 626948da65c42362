import type { MessageBatch, MessageBatchRequestCounts } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Duration from "effect/Duration"
import { batchView } from "../../batch/BatchView.ts"
import { answerMessage } from "../AnswerMessage.ts"
import { errorBody, type PlannedError } from "../ApiErrors.ts"
import type { BatchPlan } from "./BatchSchema.ts"
import { ItemOutcomes, type OutcomeRule } from "./ItemOutcomes.ts"

/** A request of a batch, as much of it as its outcome needs. */
export interface BatchItem {
  readonly customId: string
  readonly model: string
  readonly inputTokens: number
  /** How many times its `custom_id` has been submitted, this time included. */
  readonly submission: number
  /** Why the API would refuse it. */
  readonly refusal: PlannedError | undefined
}

/** How long what is being processed holds up the end of a batch that was canceled. */
const cancelTime = 50

const noBetas: ReadonlySet<string> = new Set()

/** A batch. Its outcomes are worked out when they are asked for, and so always the same. */
export class Batch {
  readonly id: string
  readonly #items: ReadonlyArray<BatchItem>
  readonly #outcomes: ItemOutcomes
  readonly #createdAt: number
  readonly #isArchived: boolean
  readonly #processing: number
  #canceledAt: number | undefined
  #counts: MessageBatchRequestCounts | undefined

  constructor(id: string, items: ReadonlyArray<BatchItem>, plan: typeof BatchPlan.Type, now: number) {
    this.id = id
    this.#items = items
    this.#outcomes = new ItemOutcomes(plan)
    this.#createdAt = now
    this.#isArchived = plan.archived ?? false
    this.#processing = plan.processingTime === undefined ? 0 : Duration.toMillis(plan.processingTime)
  }

  get size(): number {
    return this.#items.length
  }

  get #endsAt(): number {
    const planned = this.#createdAt + this.#processing
    return this.#canceledAt === undefined ? planned : Math.min(planned, this.#canceledAt + cancelTime)
  }

  hasEnded(now: number): boolean {
    return now >= this.#endsAt
  }

  hasResults(now: number): boolean {
    return this.hasEnded(now) && !this.#isArchived
  }

  cancel(now: number): void {
    this.#canceledAt ??= now
  }

  /** The batch as the API shows it. */
  view(now: number, origin: string): MessageBatch {
    const endedAt = this.hasEnded(now) ? this.#endsAt : undefined
    return batchView({
      id: this.id,
      size: this.size,
      createdAt: this.#createdAt,
      canceledAt: this.#canceledAt,
      endedAt,
      archivedAt: this.#isArchived ? endedAt : undefined,
      tally: () => this.#tally(),
      origin
    })
  }

  /** The lines of the results file, in an order that is not that of the requests and always the same. */
  *resultLines(): Generator<string, void, undefined> {
    const stride = coprimeStride(this.size)
    for (let count = 0; count < this.size; count++) {
      const index = (count * stride + 1) % this.size
      const item = this.#items[index]
      if (item === undefined) continue
      yield JSON.stringify({ custom_id: item.customId, result: this.#result(item, index) })
    }
  }

  /** How many of the requests, in their order, were due before the batch was canceled. */
  get #due(): number {
    if (this.#canceledAt === undefined || this.#processing === 0) return this.size
    return Math.floor(this.size * Math.min(1, (this.#canceledAt - this.#createdAt) / this.#processing))
  }

  #rule(item: BatchItem, index: number): OutcomeRule | undefined {
    if (index >= this.#due) return { outcome: "canceled" }
    if (item.refusal !== undefined) return { outcome: "errored" }
    return this.#outcomes.ruleFor(item.customId, item.submission)
  }

  #tally(): MessageBatchRequestCounts {
    if (this.#counts === undefined) {
      const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 }
      for (const [index, item] of this.#items.entries()) counts[this.#rule(item, index)?.outcome ?? "succeeded"]++
      this.#counts = counts
    }
    return this.#counts
  }

  #result(item: BatchItem, index: number): object {
    const rule = this.#rule(item, index) ?? { outcome: "succeeded" }
    switch (rule.outcome) {
      case "errored":
        return {
          type: "errored",
          error: errorBody(item.refusal ?? rule.error ?? { type: "api_error" }, `req_${this.id}_${index}`)
        }
      case "succeeded":
        return { type: "succeeded", message: { ...messageOf(rule, item), id: `msg_${item.customId}` } }
      default:
        return { type: rule.outcome }
    }
  }
}

const messageOf = (rule: Extract<OutcomeRule, { readonly outcome: "succeeded" }>, item: BatchItem) =>
  answerMessage(
    rule,
    { endpoint: "messages", model: item.model, stream: false, fields: {}, turns: [], betas: noBetas },
    { number: 1, inputTokens: item.inputTokens, tier: "batch" }
  )

const greatestCommonDivisor = (one: number, other: number): number =>
  other === 0 ? one : greatestCommonDivisor(other, one % other)

/** A step that leads through all of so many places. */
const coprimeStride = (size: number): number => {
  let stride = Math.max(1, Math.floor(size * 0.618))
  while (greatestCommonDivisor(stride, size) !== 1) stride++
  return stride
}

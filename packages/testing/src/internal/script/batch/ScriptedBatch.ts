import type { MessageBatch, MessageBatchRequestCounts } from "@anthropic-ai/sdk/resources/messages/batches"
import type { BatchOutcome } from "@effect-claude/client/BatchOutcome"
import type { BatchItem } from "@effect-claude/client/ClaudeBatches"
import * as Duration from "effect/Duration"
import { batchLifetime, batchView } from "../../batch/BatchView.ts"
import type { ItemAnswer } from "./ItemAnswer.ts"
import { outcomeOf } from "./ItemAnswer.ts"

/** A request of a batch, with what becomes of it if it is its turn before the batch ends. */
export interface PlannedItem {
  readonly item: BatchItem
  /** Among all requests of all batches. */
  readonly number: number
  readonly submission: number
  readonly answer: ItemAnswer
}

/** How long results are kept after a batch was made. */
const keptFor = Duration.toMillis(Duration.days(29))

/** How long what is being processed holds up the end of a batch that was canceled. */
const cancelTime = 50

/** A batch as the API has it: its requests are processed in order and evenly, until its time is over. */
export class ScriptedBatch {
  readonly id: string
  readonly #items: ReadonlyArray<PlannedItem>
  readonly #createdAt: number
  readonly #processing: number
  #canceledAt: number | undefined
  #outcomes: ReadonlyArray<BatchOutcome> | undefined

  constructor(id: string, items: ReadonlyArray<PlannedItem>, processing: Duration.Duration, now: number) {
    this.id = id
    this.#items = items
    this.#createdAt = now
    this.#processing = Duration.toMillis(processing)
  }

  get size(): number {
    return this.#items.length
  }

  get #endsAt(): number {
    const planned = this.#createdAt + Math.min(this.#processing, batchLifetime)
    return this.#canceledAt === undefined ? planned : Math.min(planned, this.#canceledAt + cancelTime)
  }

  hasEnded(now: number): boolean {
    return now >= this.#endsAt
  }

  isArchived(now: number): boolean {
    return now >= this.#createdAt + keptFor
  }

  cancel(now: number): void {
    this.#canceledAt ??= now
  }

  view(now: number): MessageBatch {
    return batchView({
      id: this.id,
      size: this.size,
      createdAt: this.#createdAt,
      canceledAt: this.#canceledAt,
      endedAt: this.hasEnded(now) ? this.#endsAt : undefined,
      archivedAt: this.isArchived(now) ? this.#createdAt + keptFor : undefined,
      tally: () => this.#tally(),
      origin: "https://api.anthropic.com"
    })
  }

  /** What became of the requests once the batch has ended, the last first: nobody may rely on their order. */
  results(): ReadonlyArray<BatchOutcome> {
    this.#outcomes ??= this.#items.map((planned, index) =>
      outcomeOf(index < this.#due ? planned.answer : this.#canceledAt === undefined ? "expired" : "canceled", {
        ...planned,
        batchId: this.id,
        endedAt: this.#endsAt
      })
    ).toReversed()
    return this.#outcomes
  }

  /** How many of the requests, in their order, had their turn. */
  get #due(): number {
    const end = Math.min(this.#canceledAt ?? Infinity, this.#createdAt + batchLifetime) - this.#createdAt
    return this.#processing <= end ? this.size : Math.floor(this.size * end / this.#processing)
  }

  #tally(): MessageBatchRequestCounts {
    const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 }
    const names = { Succeeded: "succeeded", Errored: "errored", Canceled: "canceled", Expired: "expired" } as const
    for (const { _tag } of this.results()) counts[names[_tag]]++
    return counts
  }
}

import * as Predicate from "effect/Predicate"
import type { MessageEvent } from "../../MessageEvents.ts"
import * as TokenEstimate from "../../TokenEstimate.ts"
import { property } from "../foreignError.ts"
import { updatedUsage } from "../stream/usageSum.ts"

const lengthOf = (text: unknown): number => typeof text === "string" ? text.length : 0

const firstIsWide = (text: unknown): boolean => typeof text === "string" && text.charCodeAt(0) > 127

/** What a stream has told so far of its answer, and how much of it came. The answer itself is not kept. */
export class StreamSeen {
  /** The `message_start` that came last, if one came. */
  message: object | undefined
  usage: Readonly<Record<string, unknown>> | undefined
  /** Whether the answer is whole. What comes after, or that the consumer leaves, makes no difference. */
  isWhole = false
  /** Whether it was refused before it said anything, which costs nothing. */
  isRefusedAtOnce = false
  private hasContent = false
  private letters = 0
  private wideLetters = 0

  note(event: MessageEvent): void {
    switch (event.type) {
      case "message_start":
        this.message = event.message
        this.merge(property(event.message, "usage"))
        break
      case "content_block_start":
        this.hasContent = true
        break
      case "content_block_delta": {
        const { delta } = event
        // By the first letter of a piece, which is a word or two: reading all of them would cost more than all else here.
        const text = property(delta, "text") ?? property(delta, "thinking") ?? property(delta, "partial_json")
        if (firstIsWide(text)) this.wideLetters += lengthOf(text)
        else this.letters += lengthOf(text)
        break
      }
      case "message_delta":
        this.merge(event.usage)
        this.isRefusedAtOnce = !this.hasContent && property(event.delta, "stop_reason") === "refusal"
        break
      case "message_stop":
        this.isWhole = true
        break
      case "content_block_stop":
      case "ping":
      case "restart":
        break
    }
  }

  /** About how many tokens of output came: the API tells their number only at the end. */
  get output(): number {
    const told = property(this.usage, "output_tokens")
    const arrived = TokenEstimate.ofLetters(this.letters, this.wideLetters)
    return typeof told === "number" ? Math.max(told, arrived) : arrived
  }

  private merge(usage: unknown): void {
    if (Predicate.isObject(usage)) this.usage = updatedUsage(this.usage ?? {}, usage)
  }
}

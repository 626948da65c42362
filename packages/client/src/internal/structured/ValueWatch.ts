import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type { PartialAnswer } from "../../ClaudeError.ts"
import { isRestart, makeAccumulator, type MessageEvent } from "../../MessageEvents.ts"
import { isJsonObject, isSameJson } from "./jsonValue.ts"
import { PartialJson } from "./PartialJson.ts"
import { type Parts, partsOf } from "./readAnswer.ts"
import { answerTool, type Plan } from "./strategy.ts"

/** What there is to see of a value before it is whole. */
export type Glimpse =
  | { readonly _tag: "Partial"; readonly value: Schema.Json }
  | { readonly _tag: "Restart"; readonly issues: ReadonlyArray<string> }

// A gateway may leave out what has no text yet.
const textIn = (value: unknown): string => Predicate.isString(value) ? value : ""

/** Watches one turn of a stream: what there is to show, and the parts of its message as they were written. */
export class ValueWatch {
  private readonly plan: Plan
  private readonly accumulator = makeAccumulator()
  private json = new PartialJson()
  /** The block that is shown: the first of its kind. */
  private block: number | undefined
  private readonly inputs = new Map<number, string>()
  private unwrapped: Schema.Json | undefined

  constructor(plan: Plan) {
    this.plan = plan
  }

  add(event: MessageEvent): ReadonlyArray<Glimpse> {
    this.accumulator.add(event)
    return isRestart(event) ? this.takeBack(event.from) : this.show(event)
  }

  message(): Message | undefined {
    return this.accumulator.message()
  }

  partial(): PartialAnswer {
    return this.accumulator.partial()
  }

  parts(message: Message): Parts {
    // As it was written: parsed by somebody else, a key that stands twice would be there once.
    const inputs = [...this.inputs.values()].filter((text) => text !== "")
    const parts = partsOf(message, answerTool(this.plan))
    return inputs.length === parts.inputs.length ? { ...parts, inputs } : parts
  }

  /** Whether what was shown is no beginning of what was decoded. */
  contradicts(json: Schema.Json): boolean {
    return this.unwrapped !== undefined && !isSameJson(this.unwrapped, json)
  }

  private takeBack(from: number): ReadonlyArray<Glimpse> {
    for (const index of this.inputs.keys()) {
      if (index >= from) this.inputs.delete(index)
    }
    if (this.block === undefined || this.block < from) return []
    const hadShown = this.unwrapped !== undefined
    this.json = new PartialJson()
    this.block = undefined
    this.unwrapped = undefined
    return hadShown ? [{ _tag: "Restart", issues: [] }] : []
  }

  private show(event: MessageEvent): ReadonlyArray<Glimpse> {
    if (event.type === "content_block_start") {
      const { content_block: block, index } = event
      if (block.type === "tool_use" && block.name === answerTool(this.plan)) {
        this.inputs.set(index, "")
        this.block ??= index
      } else if (block.type === "text" && this.plan.strategy !== "tool") {
        this.block ??= index
        if (this.block === index) return this.grow(block.text)
      }
    }
    if (event.type !== "content_block_delta") return []
    const { delta, index } = event
    if (delta.type === "input_json_delta") {
      const input = this.inputs.get(index)
      if (input !== undefined) this.inputs.set(index, input + textIn(delta.partial_json))
      return index === this.block ? this.grow(delta.partial_json) : []
    }
    return delta.type === "text_delta" && index === this.block ? this.grow(delta.text) : []
  }

  private grow(text: unknown): ReadonlyArray<Glimpse> {
    if (!this.json.add(textIn(text))) return []
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

import type { Message, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Predicate from "effect/Predicate"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError, PartialAnswer } from "../../ClaudeError.ts"
import { type Accumulator, makeAccumulator, type MessageEvent } from "../../MessageEvents.ts"
import { alternativeTaken } from "../prefillAlternative.ts"
import { type Way, writtenTokens } from "./continuation.ts"
import { Joint } from "./Joint.ts"
import { isThinking, type Kept } from "./resumable.ts"
import { addUsage, type ReportedUsage, reportedUsage, updatedUsage } from "./usageSum.ts"

/** How a part stands to what the consumer has of the answer. */
export type Beginning =
  | { readonly _tag: "First" }
  | { readonly _tag: "Restart"; readonly error: ClaudeError }
  | { readonly _tag: "Continue"; readonly kept: Kept; readonly way: Way; readonly error: ClaudeError }

type Continue = Extract<Beginning, { readonly _tag: "Continue" }>
type Start = Extract<RawMessageStreamEvent, { readonly type: "content_block_start" }>
type Output = Array<MessageEvent>

const ping: MessageEvent = { type: "ping" }

/** Puts the first text of a continuation behind the text before it. */
class Seam {
  private readonly joint: Joint
  readonly target: number
  /** How the block is opened when there is something in it. `undefined` once it is, or if it was open at the cut. */
  private opening: Start | undefined
  /** Whether nothing new has come yet. */
  isFresh = true

  constructor(joint: Joint, target: number, opening: Start | undefined) {
    this.joint = joint
    this.target = target
    this.opening = opening
  }

  get isOpen(): boolean {
    return this.opening === undefined
  }

  add(text: string, out: Output): void {
    this.write(this.joint.push(text), out)
  }

  /** Gives out what was held back, and opens the block. */
  settle(out: Output): void {
    this.write(this.joint.end(), out)
    this.open(out)
  }

  end(out: Output): void {
    this.write(this.joint.end(), out)
    if (this.isOpen) out.push({ type: "content_block_stop", index: this.target })
  }

  private write(text: string, out: Output): void {
    if (text === "") return
    this.isFresh = false
    this.open(out)
    out.push({ type: "content_block_delta", index: this.target, delta: { type: "text_delta", text } })
  }

  private open(out: Output): void {
    if (this.opening === undefined) return
    out.push({ ...this.opening, index: this.target, content_block: emptied(this.opening.content_block) })
    this.opening = undefined
  }
}

const emptied = (block: Start["content_block"]): Start["content_block"] =>
  block.type === "text" ? { ...block, text: "" } : block

/** One request's share of the answer. */
class Part {
  isSilent = true
  start: Message | undefined
  usage: ReportedUsage = {}
  readonly beginning: Beginning
  readonly content: Accumulator
  /** The consumer's indexes of this part's blocks. */
  readonly indexes = new Map<number, number>()
  /** Blocks that the consumer does not get. */
  readonly dropped = new Set<number>()
  isLeading: boolean
  /** Where the joint is made, and which block of this part it is made with. Between two blocks there is none. */
  seam: { readonly index: number | undefined; readonly seam: Seam } | undefined
  /** The block that was open at the cut, until something closes it. */
  open: number | undefined

  constructor(beginning: Beginning, content: Accumulator) {
    this.beginning = beginning
    this.content = content
    this.isLeading = beginning._tag === "Continue"
    this.open = beginning._tag === "Continue" ? beginning.kept.open : undefined
  }

  get info(): AnswerInfo.AnswerInfo {
    return AnswerInfo.of(this.start ?? {})
  }
}

/**
 * Makes one answer of the parts of a stream that broke off: one start and one end, blocks numbered through, the usage of all
 * parts. Knows what the consumer has of it.
 */
export class JoinedAnswer {
  private readonly model: string
  private readonly held = makeAccumulator()
  private parts: Array<AnswerInfo.AnswerPart> = []
  private spent: ReportedUsage = {}
  private part: Part
  private nextIndex = 0
  private hasStopReason = false
  private hasStopped = false

  constructor(model: string) {
    this.model = model
    this.part = new Part({ _tag: "First" }, this.held)
  }

  /** Whether the part that runs has given nothing yet. */
  get isSilent(): boolean {
    return this.part.isSilent
  }

  /** What is missing of a whole answer, if that is no more than its last event. */
  get missingEnd(): ReadonlyArray<MessageEvent> | undefined {
    if (this.hasStopped) return []
    return this.hasStopReason && this.held.partial().unfinished === undefined ? [{ type: "message_stop" }] : undefined
  }

  /** The number of the part that runs or, once one has failed, of the next one. */
  get partCount(): number {
    return this.parts.length + 1
  }

  /** Whether no other part has been asked for. */
  get isFirstPart(): boolean {
    return this.part.beginning._tag === "First"
  }

  /** What the consumer has. */
  get partial(): PartialAnswer {
    const partial = this.held.partial()
    const { message } = partial
    if (this.parts.length === 0 || message === undefined) return partial
    // What a failure says that ended an answer of several parts is said of all of them.
    const usage = { ...message.usage, ...this.spent }
    return { ...partial, message: AnswerInfo.annotate({ ...message, usage }, { parts: this.parts }) }
  }

  /** The part that runs has failed after it gave something. */
  fail(error: ClaudeError): void {
    const { content, info, start, usage } = this.part
    const written = writtenTokens(content.partial().message?.content ?? [])
    const reported = usage["output_tokens"]
    // Its real count comes at the end of an answer only.
    const output_tokens = typeof reported === "number" ? Math.max(reported, written) : written
    this.spent = addUsage(this.spent, { ...usage, output_tokens })
    this.parts.push({ model: start?.model ?? this.model, requestId: info.requestId, error, kept: true })
    // Of a block that was never opened the number is free.
    this.nextIndex = this.held.partial().message?.content.length ?? 0
    this.hasStopReason = false
  }

  begin(beginning: Exclude<Beginning, { readonly _tag: "First" }>): void {
    this.part = new Part(beginning, beginning._tag === "Continue" ? makeAccumulator() : this.held)
  }

  /** What the consumer gets for these events. */
  admit(events: ReadonlyArray<MessageEvent>): ReadonlyArray<MessageEvent> {
    const { beginning } = this.part
    const out: Output = []
    for (const event of events) {
      const before = out.length
      if (event.type === "ping") {
        out.push(event)
        continue
      }
      if (this.part.isSilent) this.takeBack(out)
      if (this.part.content !== this.held) this.part.content.add(event)
      if (beginning._tag === "Continue") this.continued(event, beginning, out)
      else this.passed(event, out)
      for (let index = before; index < out.length; index++) this.held.add(out[index] as MessageEvent)
    }
    return out
  }

  /** The first event of a part that counts: what the answer does without from here on is taken back. */
  private takeBack(out: Output): void {
    const { part } = this
    part.isSilent = false
    if (part.beginning._tag === "First") return
    const { error } = part.beginning
    const from = part.beginning._tag === "Restart" ? 0 : part.beginning.kept.count
    if (part.beginning._tag === "Restart") this.parts = this.parts.map((earlier) => ({ ...earlier, kept: false }))
    else if (from >= this.nextIndex) return
    out.push({ type: "restart", from, error })
    this.nextIndex = from
  }

  private noteStart(message: Message): void {
    this.part.start = message
    this.part.usage = reportedUsage(message.usage)
  }

  private passed(event: MessageEvent, out: Output): void {
    if (event.type === "message_start") {
      this.noteStart(event.message)
      out.push(event)
    } else {
      this.numbered(event, out)
    }
  }

  /** An event with the consumer's number of its block. */
  private numbered(event: MessageEvent, out: Output): void {
    switch (event.type) {
      case "content_block_start": {
        const index = this.nextIndex++
        this.part.indexes.set(event.index, index)
        out.push(event.index === index ? event : { ...event, index })
        return
      }
      case "content_block_delta":
      case "content_block_stop": {
        const index = this.part.indexes.get(event.index)
        // What belongs to no block makes no sense to anybody.
        if (index !== undefined) out.push(event.index === index ? event : { ...event, index })
        return
      }
      case "message_delta":
        out.push(this.ended(event))
        return
      default:
        if (event.type === "message_stop") this.hasStopped = true
        out.push(event)
    }
  }

  private ended(event: Extract<RawMessageStreamEvent, { readonly type: "message_delta" }>): MessageEvent {
    const { part } = this
    this.hasStopReason = event.delta.stop_reason !== null && event.delta.stop_reason !== undefined
    part.usage = updatedUsage(part.usage, event.usage)
    if (this.parts.length === 0) return event
    const last = { model: part.start?.model ?? this.model, requestId: part.info.requestId, kept: true }
    return {
      ...event,
      delta: AnswerInfo.annotate(event.delta, { parts: [...this.parts, last] }),
      usage: addUsage(this.spent, part.usage) as unknown as typeof event.usage
    }
  }

  private continued(event: MessageEvent, beginning: Continue, out: Output): void {
    const { part } = this
    switch (event.type) {
      case "message_start":
        return this.noteStart(event.message)
      case "content_block_start":
        if (part.isLeading) return this.lead(event, beginning, out)
        if (part.seam !== undefined) return this.behindSeam(event, part.seam.seam, out)
        return this.numbered(event, out)
      case "content_block_delta":
      case "content_block_stop": {
        if (part.dropped.has(event.index)) {
          // The consumer sees that the model is at work, and nothing of its thinking about the cut.
          out.push(ping)
          return
        }
        const seam = part.seam?.index === event.index ? part.seam.seam : undefined
        if (seam === undefined) return this.numbered(event, out)
        if (event.type === "content_block_stop") {
          // A block that only repeats is followed by the one that goes on.
          if (seam.isFresh) part.seam = { index: undefined, seam }
          else this.endSeam(seam, out)
        } else if (event.delta.type === "text_delta") {
          seam.add(event.delta.text, out)
        } else {
          seam.settle(out)
          this.numbered(event, out)
        }
        return
      }
      case "message_delta":
        if (part.seam !== undefined) this.endSeam(part.seam.seam, out)
        this.closeOpen(out)
        return this.numbered(event, out)
      default:
        return this.numbered(event, out)
    }
  }

  private endSeam(seam: Seam, out: Output): void {
    seam.end(out)
    this.part.seam = undefined
    this.part.open = undefined
    // A block with nothing in it was never opened, and its number is free.
    if (!seam.isOpen) this.nextIndex -= 1
  }

  /** The block after one that has only repeated. */
  private behindSeam(event: Start, seam: Seam, out: Output): void {
    if (event.content_block.type !== "text") {
      this.endSeam(seam, out)
      return this.numbered(event, out)
    }
    this.joinWith(event, seam, out)
  }

  private joinWith(event: Start, seam: Seam, out: Output): void {
    this.part.indexes.set(event.index, seam.target)
    this.part.seam = { index: event.index, seam }
    const { content_block: block } = event
    // A gateway may leave the text out where there is none yet.
    if (block.type === "text" && Predicate.isString(block.text)) seam.add(block.text, out)
  }

  /** The first block that is not about how to go on. */
  private lead(event: Start, { kept, way }: Continue, out: Output): void {
    const { part } = this
    const block = event.content_block
    if (isThinking(block)) {
      part.dropped.add(event.index)
      out.push(ping)
      return
    }
    part.isLeading = false
    if (block.type !== "text") {
      this.closeOpen(out)
      return this.numbered(event, out)
    }
    const wasAsked = way === "message" || part.info.adapted?.includes(alternativeTaken) === true
    const target = kept.open ?? this.nextIndex++
    const seam = new Seam(new Joint(kept, !wasAsked), target, kept.open === undefined ? event : undefined)
    this.joinWith(event, seam, out)
  }

  private closeOpen(out: Output): void {
    const { open } = this.part
    if (open !== undefined) out.push({ type: "content_block_stop", index: open })
    this.part.open = undefined
  }
}

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { updatedUsage } from "../stream/usageSum.ts"
import { shown } from "./shown.ts"

// Callers and gateways leave fields out that the types promise; a call is not to fail for what is said about it.
type Reported = { readonly [K in keyof Message["usage"]]?: unknown }

const reportedUsage = (message: { readonly usage?: unknown }): Reported | undefined =>
  typeof message.usage === "object" && message.usage !== null ? message.usage : undefined

const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** Tokens as OpenTelemetry counts them: `input` holds what was read from the prompt cache and written to it. */
export interface TokenUsage {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly cacheRead: number | undefined
  readonly cacheCreation: number | undefined
  readonly thinking: number | undefined
}

export const tokenUsage = (answer: { readonly usage?: unknown }): TokenUsage => {
  const usage = reportedUsage(answer)
  const uncached = count(usage?.input_tokens)
  const cacheRead = count(usage?.cache_read_input_tokens)
  const cacheCreation = count(usage?.cache_creation_input_tokens)
  const details: { readonly thinking_tokens?: unknown } = usage?.output_tokens_details ?? {}
  return {
    input: uncached === undefined ? undefined : uncached + (cacheRead ?? 0) + (cacheCreation ?? 0),
    output: count(usage?.output_tokens),
    cacheRead,
    cacheCreation,
    thinking: count(details.thinking_tokens)
  }
}

/** Who answered, in a word from a bounded set. */
export const sourceKind = (source: AnswerInfo.Source): string => source._tag.toLowerCase()

/** Who answered, by name. */
export const sourceName = (source: AnswerInfo.Source): string => {
  if (source._tag === "Model") return shown(source.model)
  if (source._tag === "Service") return shown(source.name)
  return sourceKind(source)
}

/** The model that answered. `undefined` if none did for this call: an answer from a cache, or of the program's own. */
export const answeringModel = (source: AnswerInfo.Source, requested: string): string | undefined => {
  if (source._tag === "Requested") return requested
  if (source._tag === "Model") return source.model
  return source._tag === "Service" ? source.model ?? requested : undefined
}

/** Who did not answer, and why: the tag of the failure, or the reason for not asking. */
export const passedOver = (targets: ReadonlyArray<AnswerInfo.PassedOver>): ReadonlyArray<string> =>
  targets.map(({ error, reason, target }) => `${shown(target)}: ${error === undefined ? shown(reason) : error._tag}`)

/** What a stream has told of its answer so far, read off the two events that say it. */
export class StreamFacts {
  message: Message | undefined

  note(event: MessageEvent): void {
    if (event.type === "message_start") {
      this.message = event.message
    } else if (event.type === "message_delta" && this.message !== undefined) {
      const usage = updatedUsage(reportedUsage(this.message) ?? {}, event.usage)
      const { parts } = AnswerInfo.of(event.delta)
      const ended = Object.assign({ ...this.message, stop_reason: event.delta.stop_reason }, { usage })
      this.message = parts === undefined ? ended : AnswerInfo.annotate(ended, { parts })
    }
  }
}

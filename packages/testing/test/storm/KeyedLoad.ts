import { InvalidRequestError, OverloadedError, RateLimitError } from "@effect-claude/client/ClaudeError"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as Reply from "@effect-claude/testing/Reply"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const message = Reply.message("Hello!")

const events: ReadonlyArray<MessageEvent> = [
  { type: "message_start", message: { ...message, content: [], stop_reason: null } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "", citations: null } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello!" } },
  { type: "content_block_stop", index: 0 },
  {
    type: "message_delta",
    delta: { stop_reason: "end_turn", stop_sequence: null, stop_details: null, container: null },
    usage: {
      input_tokens: 10,
      output_tokens: 3,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens_details: null,
      server_tool_use: null
    }
  },
  { type: "message_stop" }
]

const failures = {
  overloaded: (model: string) => new OverloadedError({ message: "Overloaded", status: 529, model }),
  invalid: (model: string) => new InvalidRequestError({ message: "Invalid", status: 400, model }),
  rateLimited: (model: string) =>
    new RateLimitError({
      message: "Too many requests",
      status: 429,
      model,
      retryAfter: Duration.millis(2),
      rateLimits: { requests: { limit: 1_000, remaining: 0, resetAt: Date.now() + 10 } }
    })
}

/** What the n-th attempt comes to: most answer at once, some later, some fail, and some never end. */
const fateOf = (attempt: number): "now" | "later" | "never" | keyof typeof failures => {
  const lot = (attempt * 7919) % 100
  if (lot < 70) return "now"
  if (lot < 80) return "later"
  if (lot < 88) return "overloaded"
  if (lot < 92) return "rateLimited"
  if (lot < 96) return "invalid"
  return "never"
}

/** An API in memory that does all that a call can meet with, in turn, and counts its attempts. */
export const moodyApi = (): { readonly layer: Layer.Layer<ClaudeService>; readonly attempts: () => number } => {
  let attempts = 0
  const meet = (model: string) =>
    Effect.suspend(() => {
      const fate = fateOf(attempts++)
      switch (fate) {
        case "now":
          return Effect.void
        case "later":
          return Effect.sleep("1 millis")
        case "never":
          return Effect.never
        default:
          return Effect.fail(failures[fate](model))
      }
    })
  const service: ClaudeServiceShape = {
    createMessage: ({ model }) => Effect.as(meet(model), message),
    streamMessage: ({ model }) => Stream.unwrap(Effect.as(meet(model), Stream.fromIterable(events))),
    countTokens: ({ model }) => Effect.as(meet(model), { input_tokens: 10 })
  }
  return { layer: Layer.succeed(ClaudeService, service), attempts: () => attempts }
}

/**
 * So many calls over so many models, every second one streamed, and every tenth given up by its caller after a
 * millisecond or two.
 */
export const keyedLoad = (
  claude: ClaudeServiceShape,
  options: { readonly calls: number; readonly keys: number; readonly concurrency: number; readonly prefix: string }
) => {
  const counts = { succeeded: 0, failed: 0, interrupted: 0 }
  const call = (index: number) => {
    const request: MessageRequest = {
      model: `${options.prefix}-${index % options.keys}`,
      max_tokens: 100,
      messages: [{ role: "user", content: `Hello ${index}` }]
    }
    const whole: Effect.Effect<unknown, unknown> = index % 2 === 0
      ? claude.createMessage(request)
      : Stream.runDrain(claude.streamMessage(request))
    return Effect.map(
      Effect.exit(index % 10 === 0 ? Effect.timeoutOption(whole, Duration.millis(1 + index % 2)) : whole),
      (exit) => {
        if (exit._tag === "Failure") counts.failed++
        else if (typeof exit.value === "object" && exit.value !== null && "_tag" in exit.value) {
          if (exit.value._tag === "None") counts.interrupted++
          else counts.succeeded++
        } else counts.succeeded++
      }
    )
  }
  return Effect.as(
    Effect.forEach(Array.from({ length: options.calls }, (_, index) => index), call, {
      concurrency: options.concurrency,
      discard: true
    }),
    counts
  )
}

import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Reply from "@effect-claude/testing/Reply"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { awaited, type Contestant, inOneFiber } from "./compare.ts"
import { answeringClient, request } from "./stubs.ts"

const message = Reply.message("Hello!")

const instant: ClaudeServiceShape = {
  createMessage: () => Effect.succeed(message),
  streamMessage: () => Stream.empty,
  countTokens: () => Effect.succeed({ input_tokens: 1 })
}

const parts = [
  "telemetry",
  "deadline",
  "retry",
  "retryBudget",
  "circuitBreaker",
  "rateLimiter",
  "concurrency",
  "attemptTimeout"
] as const

type Part = (typeof parts)[number]

const service = (options: ClaudeLayer.StandardOptions) =>
  Effect.map(
    Layer.build(Layer.succeed(ClaudeService, instant).pipe(ClaudeLayer.standard(options))),
    (context) => Context.get(context, ClaudeService)
  )

const call = (name: string, claude: ClaudeServiceShape): Contestant =>
  inOneFiber(name, Effect.suspend(() => claude.createMessage(request)))

const only = (kept: Part): Readonly<Partial<Record<Part, false>>> =>
  Object.fromEntries(parts.filter((part) => part !== kept).map((part) => [part, false]))

/** A successful call through `standard()` over a service that answers at once, beside a call of the plain SDK. */
export const pipeline = Effect.gen(function*() {
  const contestants: Array<Contestant> = [
    awaited("plain SDK with a stubbed fetch", () => answeringClient.messages.create(request, { maxRetries: 0 }), 100),
    call("bare service", instant),
    call("standard()", yield* service({})),
    call("standard() without telemetry", yield* service({ telemetry: false }))
  ]
  for (const part of parts) contestants.push(call(`only ${part}`, yield* service(only(part))))
  const none = Object.fromEntries(parts.map((part) => [part, false]))
  const budget = { call: { limit: { usd: 1 } }, key: { limit: { tokens: Number.MAX_SAFE_INTEGER } } }
  contestants.push(
    call("only the usage ledger", yield* service({ ...none, usage: {} })),
    call("the usage ledger with two budgets", yield* service({ ...none, usage: { budget } }))
  )
  return contestants
})

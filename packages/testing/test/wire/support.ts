import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import type { Combinator } from "@effect-claude/client/ClaudeLayer"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import type { ClaudeServiceShape, MessageRequest } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

export const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  messages: [{ role: "user", content: "Tell me a short story" }]
}

export const apiKey = "sk-ant-api03-wire-test"

const fast = { base: "1 millis", cap: "2 millis" } as const

/** The standard schedule with its waits cut short, so that only a server's wait takes time. */
export const quickRetries = ClaudeSchedule.make({
  ...fast,
  kinds: { rateLimited: fast, overloaded: fast, timeout: { ...fast, attempts: 2 } }
})

/** The whole pipeline with quick retries. */
export const quickPipeline = (options: Parameters<typeof ClaudeLayer.standard>[0] = {}): Combinator =>
  ClaudeLayer.standard({ retry: quickRetries, telemetry: false, ...options })

export interface Wire {
  readonly api: FakeClaudeApi.FakeClaudeApi["Service"]
  readonly claude: ClaudeServiceShape
}

/** A fake API with this plan, and a client of it behind a pipeline. */
export const withWire = <A, E, R>(
  plan: FaultPlan.FaultPlanInput,
  use: (wire: Wire) => Effect.Effect<A, E, R>,
  pipeline?: Combinator
) =>
  Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make(plan) })
    const claude = yield* connect({ apiKey: Redacted.make(apiKey), baseUrl: api.url }, pipeline)
    return yield* use({ api, claude })
  }))

/** The same without a socket, where many thousands of requests would take long. */
export const withWireInMemory = <A, E, R>(use: (wire: Wire) => Effect.Effect<A, E, R>, pipeline?: Combinator) =>
  Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.makeInMemory()
    const claude = yield* connect({ apiKey: Redacted.make(apiKey), sdk: { fetch: api.fetch } }, pipeline)
    return yield* use({ api, claude })
  }))

/** The service of a client with these options behind a pipeline. */
export const connect = (options: AnthropicClient.Options, pipeline?: Combinator) => {
  const client = AnthropicClient.layer(options)
  return Effect.map(
    Layer.build(pipeline === undefined ? client : pipeline(client)),
    (context) => Context.get(context, ClaudeService)
  )
}

export type Operation = "createMessage" | "streamMessage" | "countTokens"

/** Runs one operation to its end, whatever it gives. */
export const run = (claude: ClaudeServiceShape, operation: Operation): Effect.Effect<unknown, ClaudeError> => {
  switch (operation) {
    case "createMessage":
      return claude.createMessage(request)
    case "streamMessage":
      return Stream.runDrain(claude.streamMessage(request))
    case "countTokens":
      return claude.countTokens({ model: request.model, messages: request.messages })
  }
}

export const verdictOf = (error: ClaudeError): string => error.verdict._tag === "Stop" ? "stop" : error.verdict.kind

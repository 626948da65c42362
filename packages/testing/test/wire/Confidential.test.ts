import { type ClaudeError, ClaudeErrorJson, type ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeEvents from "@effect-claude/client/ClaudeEvents"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as Fault from "@effect-claude/testing/Fault"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { connect, type Operation, quickPipeline } from "./support.ts"

const key = "sk-ant-api03-CANARYKEY0123456789"
const canaries = {
  key: "CANARYKEY0123456789",
  user: "CANARY-USER-TEXT-77",
  system: "CANARY-SYSTEM-TEXT-88",
  tool: "CANARY-TOOL-TEXT-99"
}

const allTags = Object.keys(Fault.byTag) as ReadonlyArray<ClaudeErrorTag>

const userText = `My secret is ${canaries.user}, please keep it to yourself.`
const systemText = `You know that ${canaries.system} is the password of the house.`

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  system: systemText,
  tools: [{ name: "open", description: `Opens ${canaries.tool}`, input_schema: { type: "object" } }],
  messages: [{ role: "user", content: userText }]
}

const echo = (text: string) => `messages.0: "${text}" is not allowed (key ${key})`
const echoed = echo(userText)

// Servers and proxies that repeat what they were sent, in every place that ends up in an error.
const faults: ReadonlyArray<readonly [string, FaultStep.FaultStep]> = [
  ["an API error", FaultStep.error({ status: 400, error: { type: "invalid_request_error", message: echoed } })],
  [
    "an API error that repeats a part",
    FaultStep.error({
      status: 400,
      error: { type: "invalid_request_error", message: echo(`is ${canaries.user}, please keep`) }
    })
  ],
  [
    "an API error that repeats the system prompt in its details",
    FaultStep.error({
      status: 400,
      error: { type: "invalid_request_error", message: "no", details: { seen: systemText } }
    })
  ],
  ["an overload", FaultStep.error({ status: 529, error: { type: "overloaded_error", message: echoed } })],
  [
    "a proxy's page",
    FaultStep.response({
      status: 502,
      contentType: "text/html",
      body: `<html><title>${echoed}</title><body>${echoed} Authorization: Bearer ${key}</body></html>`
    })
  ],
  [
    "a proxy's text",
    FaultStep.response({ status: 500, contentType: "text/plain", body: `${echoed} x-api-key: ${key}` })
  ],
  ["a 200 with a page", FaultStep.response({ status: 200, contentType: "text/html", body: `<html>${echoed}</html>` })],
  ["a 200 with broken JSON", FaultStep.response({ status: 200, contentType: "application/json", body: `{"${echoed}` })],
  [
    "an error event",
    FaultStep.midStreamError({ afterEvents: 1, error: { type: "api_error", message: echoed } })
  ],
  ["a reset", FaultStep.reset()],
  ["a slow answer", FaultStep.slowFirstByte("1 minute")]
]

/** Everything a program could print, send or store of a failure. */
const renderings = (error: ClaudeError): ReadonlyArray<string> => [
  String(error),
  error.stack ?? "",
  JSON.stringify(error),
  JSON.stringify(Schema.encodeSync(ClaudeErrorJson)(error)),
  inspect(error, { depth: 20, showHidden: true }),
  Cause.pretty(Cause.fail(error)),
  inspect(Cause.fail(error), { depth: 20 })
]

/** Keeps all events from now on. */
const keepEvents = (keep: (value: unknown) => void) =>
  Effect.gen(function*() {
    const hub = yield* Layer.build(ClaudeEvents.layer())
    yield* Context.get(hub, ClaudeEvents.ClaudeEvents).stream.pipe(
      Stream.runForEach((event) => Effect.sync(() => keep(event))),
      Effect.forkScoped({ startImmediately: true })
    )
    return hub
  })

/** Runs a call with a logger, a tracer, a hub of events, a registry of metrics and alerts that keep all they are given. */
const observed = (plan: FaultPlan.FaultPlanInput, operation: Operation, deadline?: Duration.Input) => {
  const seen: Array<string> = []
  const keep = (value: unknown) => seen.push(inspect(value, { depth: 12 }))
  const logger = Logger.make((entry) => {
    keep(entry.message)
    keep(entry.cause)
  })
  class KeepingSpan extends Tracer.NativeSpan {
    override attribute(name: string, value: unknown): void {
      keep([name, value])
      super.attribute(name, value)
    }
    override event(name: string, time: bigint, attributes?: Record<string, unknown>): void {
      keep([name, attributes])
      super.event(name, time, attributes)
    }
    override end(time: bigint, exit: Exit.Exit<unknown, unknown>): void {
      keep([this.name, ...this.attributes.entries(), this.events, exit])
      super.end(time, exit)
    }
  }
  const tracer = Tracer.make({ span: (options) => new KeepingSpan(options) })
  return Effect.scoped(Effect.gen(function*() {
    const api = yield* FakeClaudeApi.make({ plan: FaultPlan.make(plan) })
    const pipeline = quickPipeline({
      telemetry: {},
      ...(deadline === undefined
        ? { attemptTimeout: { attempt: "100 millis", firstEvent: "100 millis" } }
        : { deadline, attemptTimeout: false })
    })
    const alerting = ClaudeLayer.withAlerts({
      onAlert: (alert) => Effect.sync(() => keep(alert)),
      successRate: { minimumCalls: 1 },
      errorRate: { minimumCalls: 1 },
      immediate: allTags
    })
    const claude = yield* connect({ apiKey: Redacted.make(key), baseUrl: api.url }, (base) => alerting(pipeline(base)))
    const events = yield* keepEvents(keep)
    const { max_tokens: _, ...counted } = request
    const calls: Readonly<Record<Operation, Effect.Effect<unknown, ClaudeError>>> = {
      createMessage: claude.createMessage(request),
      streamMessage: Stream.runDrain(claude.streamMessage(request)),
      countTokens: claude.countTokens(counted)
    }
    const error = yield* Effect.flip(calls[operation]).pipe(Effect.provide(events))
    const metrics = yield* Metric.snapshot
    keep(metrics)
    yield* Effect.sleep("5 millis")
    const told = seen.join("\n")
    for (const part of ["CallEnded", "SuccessRateLow", "ErrorSeen", "claude.calls"]) assert.include(told, part)
    return { error, seen }
  })).pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.provideService(Metric.MetricRegistry, new Map()),
    Effect.provideService(Tracer.Tracer, tracer)
  )
}

const operations: ReadonlyArray<Operation> = ["createMessage", "streamMessage", "countTokens"]

const assertClean = (texts: ReadonlyArray<string>) => {
  for (const text of texts) {
    for (const [what, canary] of Object.entries(canaries)) {
      assert.isFalse(text.includes(canary), `the ${what} is in: ${text.slice(0, 300)}`)
    }
  }
}

describe("no key and no prompt text in an error, a log line, a span, a metric, an event or an alert", () => {
  for (const [name, step] of faults) {
    for (const operation of operations) {
      it.live(`${name}, ${operation}`, () =>
        Effect.gen(function*() {
          const { error, seen } = yield* observed({ after: step }, operation)
          assert.isAbove(seen.length, 3, "the logger and the tracer saw something")
          assertClean([...renderings(error), ...seen])
        }))
    }
  }

  it.live("a missed deadline that tells of the last failure", () =>
    Effect.gen(function*() {
      const overload = FaultStep.error({ status: 529, error: { type: "overloaded_error", message: echoed } })
      const plan = { steps: [overload], after: FaultStep.slowFirstByte("1 minute") }
      const { error, seen } = yield* observed(plan, "createMessage", "1 second")
      assert.strictEqual(error._tag, "DeadlineExceededError")
      assert.include(error.message, "OverloadedError")
      assertClean([...renderings(error), ...seen])
    }))

  it.live("a key that no header can hold", () =>
    Effect.gen(function*() {
      const claude = yield* connect({ apiKey: Redacted.make(`${key}\n`), baseUrl: "http://127.0.0.1:9" })
      const error = yield* Effect.flip(claude.createMessage(request))
      for (const text of renderings(error)) assert.isFalse(text.includes(canaries.key), text.slice(0, 300))
    }).pipe(Effect.scoped))

  it.live("credentials in the base URL", () =>
    Effect.gen(function*() {
      const claude = yield* connect({
        apiKey: Redacted.make(key),
        baseUrl: "http://user:CANARYKEY0123456789@127.0.0.1:9"
      })
      const error = yield* Effect.flip(claude.createMessage(request))
      for (const text of renderings(error)) assert.isFalse(text.includes(canaries.key), text.slice(0, 300))
    }).pipe(Effect.scoped))
})

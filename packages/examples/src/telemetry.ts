/**
 * Traces, metrics and logs of a pipeline, exported to an OpenTelemetry collector; and an alert.
 *
 * Set OTEL_EXPORTER_OTLP_ENDPOINT (such as http://localhost:4318) to send them to a collector of your own. Without it the
 * program starts a small one on the loopback interface and shows what has come in.
 */
import { AnthropicClient, ClaudeLayer, ClaudeService } from "@effect-claude/client"
import { FakeClaudeApi, FaultPlan, FaultStep } from "@effect-claude/testing"
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer, Option, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Otlp } from "effect/observability"
import { deepStrictEqual, ok } from "node:assert/strict"
import { createServer } from "node:http"

// ---------------------------------------------------------------------------------------------------------------------
// The program: one question, asked of an API that is overloaded at first.
// ---------------------------------------------------------------------------------------------------------------------

// In production: AnthropicClient.layerConfig, which reads ANTHROPIC_API_KEY.
const Client = Layer.unwrap(Effect.gen(function*() {
  const api = yield* FakeClaudeApi.FakeClaudeApi
  return AnthropicClient.layer({ apiKey: Redacted.make("sk-ant-example"), baseUrl: api.url })
})).pipe(
  Layer.provide(FakeClaudeApi.layer({
    plan: FaultPlan.make({
      steps: [FaultStep.overloaded(), FaultStep.internalServer()],
      after: FaultStep.authentication()
    })
  }))
)

const alerts: Array<string> = []

const Claude = Client.pipe(
  ClaudeLayer.standard(),
  ClaudeLayer.withAlerts({ onAlert: (alert) => Effect.sync(() => alerts.push(alert._tag)) })
)

const program = Effect.gen(function*() {
  const claude = yield* ClaudeService
  const error = yield* Effect.flip(claude.createMessage({
    model: "claude-sonnet-5-5",
    max_tokens: 1024,
    messages: [{ role: "user", content: "Say hello" }]
  }))
  yield* Console.log(`after two failures that a retry can mend: ${error._tag}`)
}).pipe(Effect.withSpan("greet"))

const exporting = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "effect-claude-example" } }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )

// The exporter is built first and closed last: it flushes what is left when the program is over.
const runWith = (collector: string) => Effect.provide(program, Layer.provideMerge(Claude, exporting(collector)))

// ---------------------------------------------------------------------------------------------------------------------
// A collector that keeps what it is sent.
// ---------------------------------------------------------------------------------------------------------------------

const Attributes = Schema.Array(
  Schema.Struct({ key: Schema.String, value: Schema.Record(Schema.String, Schema.Unknown) })
)
const Spans = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    scopeSpans: Schema.Array(Schema.Struct({
      spans: Schema.Array(Schema.Struct({ name: Schema.String, kind: Schema.Number, attributes: Attributes }))
    }))
  }))
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Schema.Struct({ name: Schema.String })) }))
  }))
})
const Logs = Schema.Struct({
  resourceLogs: Schema.Array(Schema.Struct({
    scopeLogs: Schema.Array(Schema.Struct({ logRecords: Schema.Array(Schema.Struct({ severityText: Schema.String })) }))
  }))
})

const serverKind = 2

class Collector extends Context.Service<Collector, {
  readonly spans: Array<{ readonly name: string; readonly error: string | undefined }>
  readonly metrics: Set<string>
  readonly logs: Array<string>
}>()("examples/Collector") {
  static readonly layer = Layer.sync(Collector, () => ({ spans: [], metrics: new Set<string>(), logs: [] }))
}

const attribute = (attributes: typeof Attributes.Type, name: string): string | undefined => {
  const value = attributes.find(({ key }) => key === name)?.value["stringValue"]
  return typeof value === "string" ? value : undefined
}

const receive = <A>(
  path: `/${string}`,
  schema: Schema.Codec<A, unknown>,
  keep: (collector: Collector["Service"], received: A) => void
) =>
  HttpRouter.add(
    "POST",
    path,
    Effect.gen(function*() {
      keep(yield* Collector, yield* HttpServerRequest.schemaBodyJson(schema))
      return HttpServerResponse.jsonUnsafe({})
    })
  )

const Receiver = HttpRouter.serve(
  Layer.mergeAll(
    receive("/v1/traces", Spans, ({ spans }, { resourceSpans }) => {
      const received = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      for (const { attributes, kind, name } of received) {
        // The fake API runs in this process, so its own spans come along.
        if (kind !== serverKind) spans.push({ name, error: attribute(attributes, "error.type") })
      }
    }),
    receive("/v1/metrics", Metrics, ({ metrics }, { resourceMetrics }) => {
      const received = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      for (const { name } of received) metrics.add(name)
    }),
    receive("/v1/logs", Logs, ({ logs }, { resourceLogs }) => {
      const received = resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
      logs.push(...received.map(({ severityText }) => severityText))
    })
  ),
  { disableLogger: true, disableListenLog: true }
).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(Collector.layer)
)

const demonstrate = Effect.gen(function*() {
  const server = yield* HttpServer.HttpServer
  yield* runWith(HttpServer.formatAddress(server.address))
  const { logs, metrics, spans } = yield* Collector

  deepStrictEqual(spans.map(({ error, name }) => [name, error]), [
    ["attempt", "OverloadedError"],
    ["attempt", "InternalServerError"],
    ["attempt", "AuthenticationError"],
    ["chat claude-sonnet-5-5", "AuthenticationError"],
    ["greet", undefined]
  ])
  for (const name of ["claude.calls", "claude.attempts", "claude.errors", "gen_ai.client.operation.duration"]) {
    ok(metrics.has(name), `${name} was not exported`)
  }
  deepStrictEqual(logs, ["Warn", "Warn", "Error"])
  deepStrictEqual(alerts, ["ErrorSeen"])
  yield* Console.log(`the collector got ${spans.length} spans, ${metrics.size} metrics and ${logs.length} log lines`)
})

const endpoint = Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT"))

await Effect.runPromise(
  Effect.flatMap(
    endpoint,
    Option.match({
      onNone: () => Effect.provide(demonstrate, Receiver),
      onSome: runWith
    })
  )
)

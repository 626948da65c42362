import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { createServer, IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { admitRequest, Admitted } from "./Admission.ts"
import { BatchApi, batchRoute, BatchRun, maxBatchBytes } from "./batch/BatchApi.ts"
import { Exchange } from "./Exchange.ts"
import type { Plan } from "./PlanSchema.ts"
import { RateLimitSet } from "./RateLimits.ts"
import { checkRequest, isRecord, maxBodyBytes, route } from "./RequestCheck.ts"
import { recordedHeaders, type RequestEntry, RequestLog } from "./RequestLog.ts"
import { type AnswerContext, answerRefusal, answerStep } from "./StepAnswer.ts"
import { healthy, StepQueue } from "./StepQueue.ts"

type FaultPlan = typeof Plan.Type

const host = "127.0.0.1"

/** Starts a server that lives as long as the scope; leaving the scope breaks every open connection. */
export const make = Effect.fnUntraced(function*(options: { readonly port: number; readonly plan: FaultPlan }) {
  const log = new RequestLog()
  const connections = new Set<Socket>()
  const exchanges = new Set<Exchange>()
  const batches = new BatchApi()
  let run = startRun(options.plan)
  let closing = false

  // Longer than any pause of a test, so that no pooled connection closes just as a client uses it again.
  const server = createServer({ keepAliveTimeout: 60_000 })
  server.on("connection", (socket) => {
    if (closing) {
      socket.destroy()
      return
    }
    connections.add(socket)
    socket.once("close", () => {
      connections.delete(socket)
      log.changed()
    })
  })

  const answer = Effect.fnUntraced(function*(request: IncomingMessage, response: ServerResponse) {
    const entry = makeEntry(request)
    const exchange = new Exchange(request, response, entry, log)
    exchanges.add(exchange)
    response.once("close", () => {
      exchanges.delete(exchange)
      log.add(entry)
    })
    const batchRequest = batchRoute(entry.method, entry.path)
    const { bytes, size } = yield* exchange.readBody(batchRequest === undefined ? maxBodyBytes : maxBatchBytes)
    const parsed = parseBody(bytes)
    entry.body = size > maxBodyBytes ? undefined : parsed.body
    if (batchRequest !== undefined) {
      log.add(entry)
      const query = new URL(request.url ?? "", "http://localhost").searchParams
      const received = { ...batchRequest, headers: request.headers, query, bodyBytes: size, body: parsed.body }
      const admitted = new Admitted(run.rateLimits.of(undefined), 0)
      const checked = { status: 404, error: { type: "not_found_error" } }
      return yield* batches.answer(received, run.batches, { exchange, admitted, checked, serving: run.serving })
    }
    const endpoint = route(entry.method, entry.path)
    const checked = typeof endpoint === "string"
      ? checkRequest(endpoint, { headers: request.headers, bodyBytes: size, ...parsed }, run.rules)
      : endpoint
    const model = modelOf(parsed.body)
    const { admitted, refusal } = admitRequest(run.rateLimits.of(model), checked)
    // Taken and recorded in one go: the steps go to the requests in the order of the log.
    const step = typeof endpoint === "string" && refusal === undefined
      ? run.queue.next({ model, elapsed: performance.now() - run.startedAt, content: () => bytes.toString("utf8") })
      : healthy
    log.add(entry)
    const context: AnswerContext = { exchange, admitted, checked, serving: run.serving }
    yield* refusal === undefined ? answerStep(step, context) : answerRefusal(refusal, context)
  })

  const platform = yield* NodeHttpServer.make(() => server, {
    port: options.port,
    host,
    disablePreemptiveShutdown: true
  })
  yield* platform.serve(
    Effect.gen(function*() {
      const platformRequest = yield* HttpServerRequest.HttpServerRequest
      const request = NodeHttpServerRequest.toIncomingMessage(platformRequest)
      const response = NodeHttpServerRequest.toServerResponse(platformRequest)
      if (!(request instanceof IncomingMessage && response instanceof ServerResponse)) {
        return yield* Effect.die(new Error("FakeClaudeApi: expected an HTTP/1.1 request"))
      }
      yield* answer(request, response)
      // Everything was written to the connection itself; the platform leaves a complete answer alone.
      return HttpServerResponse.empty()
    }).pipe(
      // The platform runs a handler uninterruptibly, and interrupts it when the client goes away.
      Effect.interruptible,
      Effect.withTracerEnabled(false),
      // The server stands for another machine: its delays pass in real time, whatever clock a test sets.
      Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())
    )
  )
  // Registered last, so that it runs before the platform waits for connections to end.
  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      closing = true
      for (const exchange of exchanges) exchange.markCut()
      server.close(() => resume(Effect.void))
      for (const socket of connections) socket.destroy()
    })
  )

  const address = server.address()
  if (address === null || typeof address === "string") {
    return yield* Effect.die(new Error("FakeClaudeApi: the server has no port"))
  }
  return {
    host,
    port: address.port,
    log,
    connections: (): number => connections.size,
    setPlan: (plan: FaultPlan): void => {
      run = startRun(plan)
    }
  }
})

const startRun = (plan: FaultPlan) => ({
  startedAt: performance.now(),
  queue: new StepQueue(plan),
  rules: plan.requestRules ?? {},
  rateLimits: new RateLimitSet(plan.rateLimits, Date.now()),
  batches: new BatchRun(plan.batches),
  serving: new Map<(typeof healthy), number>()
})

const makeEntry = (request: IncomingMessage): RequestEntry => ({
  number: 0,
  requestId: "",
  method: request.method ?? "",
  path: (request.url ?? "").replace(/\?.*$/s, ""),
  headers: recordedHeaders(request.headers),
  body: undefined,
  receivedAt: performance.now(),
  status: undefined,
  outcome: "pending",
  endedAt: undefined
})

const parseBody = (bytes: Buffer): { readonly body: unknown; readonly bodyIsJson: boolean } => {
  if (bytes.length === 0) return { body: undefined, bodyIsJson: false }
  const text = bytes.toString("utf8")
  try {
    return { body: JSON.parse(text), bodyIsJson: true }
  } catch {
    return { body: text, bodyIsJson: false }
  }
}

const modelOf = (body: unknown): string | undefined => {
  const model = isRecord(body) ? body["model"] : undefined
  return typeof model === "string" ? model : undefined
}

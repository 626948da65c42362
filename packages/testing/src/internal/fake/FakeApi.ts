import * as Effect from "effect/Effect"
import { admitRequest, Admitted } from "./Admission.ts"
import { BatchApi, batchRoute, BatchRun, maxBatchBytes } from "./batch/BatchApi.ts"
import type { ConnectFailure, Connection } from "./Connection.ts"
import { Exchange } from "./Exchange.ts"
import { journalOf, modelOf } from "./Journal.ts"
import type { Plan } from "./PlanSchema.ts"
import { RateLimitSet } from "./RateLimits.ts"
import { type Transport, transportMistake } from "./Reachability.ts"
import { checkRequest, isApiErrorAnswer, maxBodyBytes, route } from "./RequestCheck.ts"
import { recordedHeaders, type RecordedRequest, type RequestEntry, RequestLog } from "./RequestLog.ts"
import type { ServerClock } from "./ServerClock.ts"
import { type AnswerContext, answerRefusal, answerStep } from "./StepAnswer.ts"
import { healthy, StepQueue } from "./StepQueue.ts"
import { stepWords } from "./StepWords.ts"

type FaultPlan = typeof Plan.Type

/** A Claude API that answers connections, whatever carries them. All its time is that of `clock`. */
export class FakeApi {
  readonly log = new RequestLog()
  readonly #onEnded: ((request: RecordedRequest) => void) | undefined
  readonly #clock: ServerClock
  readonly #batches = new BatchApi()
  readonly #transport: Transport
  #run: PlanRun

  constructor(options: {
    readonly plan: FaultPlan
    readonly clock: ServerClock
    readonly transport: Transport
    readonly onEnded?: ((request: RecordedRequest) => void) | undefined
  }) {
    this.#clock = options.clock
    this.#transport = options.transport
    this.#refuse(options.plan)
    this.#onEnded = options.onEnded
    this.#run = startRun(options.plan, options.clock)
  }

  get plan(): FaultPlan {
    return this.#run.plan
  }

  /** Starts another plan; requests in progress and the log are left alone. */
  setPlan(plan: FaultPlan): void {
    this.#refuse(plan)
    this.#run = startRun(plan, this.#clock)
  }

  /** What a plan has that this server cannot do. */
  mistakeIn(plan: FaultPlan): string | undefined {
    return transportMistake(plan, this.#transport)
  }

  #refuse(plan: FaultPlan): void {
    const mistake = this.mistakeIn(plan)
    if (mistake !== undefined) throw new RangeError(`FakeClaudeApi: ${mistake}`)
  }

  get journal(): ReturnType<typeof journalOf> {
    return journalOf(this.log.snapshot(), this.#clock.isVirtual)
  }

  /** Takes the next step if it is one for a connection on which no request has arrived yet. */
  takeConnectFailure(): ConnectFailure | undefined {
    return this.#run.queue.nextConnectFailure(this.#clock.elapsed() - this.#run.startedAt)
  }

  /** Answers one request. The transport runs this, and interrupts it when the exchange is over. */
  answer(connection: Connection): Effect.Effect<void> {
    const entry = makeEntry(connection, this.#clock.now())
    const exchange = new Exchange(connection, entry, this.#clock)
    connection.onEnd((ending) => {
      if (exchange.isUnreached) return
      this.log.end(entry, ending, this.#clock.now())
      this.#onEnded?.({ ...entry })
    })
    const batchRequest = batchRoute(entry.method, entry.path)
    const received = connection.readBody(batchRequest === undefined ? maxBodyBytes : maxBatchBytes)
    return Effect.flatMap(received, ({ bytes, size }) => {
      const parsed = parseBody(bytes)
      entry.body = size > maxBodyBytes ? undefined : parsed.body
      return batchRequest === undefined
        ? this.#answerMessages(exchange, { ...parsed, size })
        : this.#answerBatches(exchange, { ...batchRequest, bodyBytes: size, body: parsed.body })
    })
  }

  #answerMessages(exchange: Exchange, received: {
    readonly size: number
    readonly body: unknown
    readonly bodyIsJson: boolean
  }): Effect.Effect<void> {
    const { entry } = exchange
    const { headers } = exchange.connection
    const { queue, rateLimits, rules, serving, startedAt } = this.#run
    const endpoint = route(entry.method, entry.path)
    const checked = typeof endpoint === "string"
      ? checkRequest(endpoint, { headers, bodyBytes: received.size, ...received }, rules)
      : endpoint
    const model = modelOf(received.body)
    const { admitted, refusal } = admitRequest(rateLimits.of(model), checked, this.#clock)
    // Taken and recorded in one go: the steps go to the requests in the order of the log.
    const step = typeof endpoint === "string" && refusal === undefined
      ? queue.next({
        model,
        elapsed: this.#clock.elapsed() - startedAt,
        content: () => JSON.stringify(received.body) ?? ""
      })
      : healthy
    exchange.isUnreached = step.kind === "unreachable"
    if (!exchange.isUnreached) this.log.add(entry)
    entry.did = refusal !== undefined
      ? `rate limit of ${refusal.limit}`
      : step.kind === "message" && isApiErrorAnswer(checked)
      ? `refused ${checked.status} ${checked.error.type}`
      : stepWords(step)
    if (this.#transport === "tls" && !isCut(step) && queue.awaitsConnectFailure(this.#clock.elapsed() - startedAt)) {
      exchange.connection.announceClose()
    }
    const context: AnswerContext = { exchange, admitted, checked, serving, clock: this.#clock }
    return refusal === undefined ? answerStep(step, context) : answerRefusal(refusal, context)
  }

  #answerBatches(exchange: Exchange, request: {
    readonly operation: NonNullable<ReturnType<typeof batchRoute>>["operation"]
    readonly id: string
    readonly bodyBytes: number
    readonly body: unknown
  }): Effect.Effect<void> {
    const { headers, origin, target } = exchange.connection
    const { batches, rateLimits, serving } = this.#run
    this.log.add(exchange.entry)
    exchange.entry.did = `batch ${request.operation}`
    const query = new URL(target, origin).searchParams
    return this.#batches.answer({ ...request, headers, query, origin }, batches, {
      exchange,
      admitted: new Admitted(rateLimits.of(undefined), 0, this.#clock),
      checked: { status: 404, error: { type: "not_found_error" } },
      serving,
      clock: this.#clock
    })
  }
}

// A client may take the end of a connection that was announced for the end of the body.
const isCut = (step: typeof healthy): boolean =>
  "interrupt" in step && step.interrupt !== undefined && step.interrupt.how !== "end" && step.interrupt.how !== "error"

/** A plan, and how far it is. */
type PlanRun = ReturnType<typeof startRun>

const startRun = (plan: FaultPlan, clock: ServerClock) => ({
  plan,
  startedAt: clock.elapsed(),
  queue: new StepQueue(plan),
  rules: plan.requestRules ?? {},
  rateLimits: new RateLimitSet(plan.rateLimits, clock.now()),
  batches: new BatchRun(plan.batches, plan.requestRules),
  serving: new Map<typeof healthy, number>()
})

const makeEntry = ({ headers, method, target }: Connection, receivedAt: number): RequestEntry => ({
  number: 0,
  requestId: "",
  method,
  path: target.replace(/\?.*$/s, ""),
  headers: recordedHeaders(headers),
  body: undefined,
  receivedAt,
  did: "nothing",
  bytesSent: 0,
  status: undefined,
  outcome: "pending",
  endedAt: undefined
})

const parseBody = (bytes: Uint8Array): { readonly body: unknown; readonly bodyIsJson: boolean } => {
  if (bytes.length === 0) return { body: undefined, bodyIsJson: false }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")
  try {
    return { body: JSON.parse(text), bodyIsJson: true }
  } catch {
    return { body: text, bodyIsJson: false }
  }
}

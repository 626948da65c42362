import * as Effect from "effect/Effect"
import { admitRequest, Admitted } from "./Admission.ts"
import { BatchApi, batchRoute, BatchRun, maxBatchBytes } from "./batch/BatchApi.ts"
import type { Connection } from "./Connection.ts"
import { Exchange } from "./Exchange.ts"
import type { Plan } from "./PlanSchema.ts"
import { RateLimitSet } from "./RateLimits.ts"
import { checkRequest, isRecord, maxBodyBytes, route } from "./RequestCheck.ts"
import { recordedHeaders, type RecordedRequest, type RequestEntry, RequestLog } from "./RequestLog.ts"
import type { ServerClock } from "./ServerClock.ts"
import { type AnswerContext, answerRefusal, answerStep } from "./StepAnswer.ts"
import { healthy, StepQueue } from "./StepQueue.ts"

type FaultPlan = typeof Plan.Type

/** A Claude API that answers connections, whatever carries them. All its time is that of `clock`. */
export class FakeApi {
  readonly log = new RequestLog()
  readonly #onEnded: ((request: RecordedRequest) => void) | undefined
  readonly #clock: ServerClock
  readonly #batches = new BatchApi()
  #run: PlanRun

  constructor(options: {
    readonly plan: FaultPlan
    readonly clock: ServerClock
    readonly onEnded?: ((request: RecordedRequest) => void) | undefined
  }) {
    this.#clock = options.clock
    this.#onEnded = options.onEnded
    this.#run = startRun(options.plan, options.clock)
  }

  get plan(): FaultPlan {
    return this.#run.plan
  }

  /** Starts another plan; requests in progress and the log are left alone. */
  setPlan(plan: FaultPlan): void {
    this.#run = startRun(plan, this.#clock)
  }

  /** Answers one request. The transport runs this, and interrupts it when the exchange is over. */
  answer(connection: Connection): Effect.Effect<void> {
    const entry = makeEntry(connection, this.#clock.now())
    const exchange = new Exchange(connection, entry, this.#clock)
    connection.onEnd((ending) => {
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
    this.log.add(entry)
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

/** A plan, and how far it is. */
type PlanRun = ReturnType<typeof startRun>

const startRun = (plan: FaultPlan, clock: ServerClock) => ({
  plan,
  startedAt: clock.elapsed(),
  queue: new StepQueue(plan),
  rules: plan.requestRules ?? {},
  rateLimits: new RateLimitSet(plan.rateLimits, clock.now()),
  batches: new BatchRun(plan.batches),
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

const modelOf = (body: unknown): string | undefined => {
  const model = isRecord(body) ? body["model"] : undefined
  return typeof model === "string" ? model : undefined
}

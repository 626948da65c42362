import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import * as Effect from "effect/Effect"
import { type ApiErrorAnswer, statusOf } from "../ApiErrors.ts"
import type { RequestHeaders } from "../Connection.ts"
import type { RequestRulesPlan } from "../PlanSchema.ts"
import { checkRequest, isApiErrorAnswer, isRecord } from "../RequestCheck.ts"
import { type AnswerContext, answerError, answerJson, answerStep, apiHeaders } from "../StepAnswer.ts"
import { StepQueue } from "../StepQueue.ts"
import { estimateInputTokens } from "../TokenEstimate.ts"
import { Batch, type BatchItem } from "./Batch.ts"
import { type ResultsFault, sendResults } from "./BatchResults.ts"
import { batchOperations, type BatchPlan } from "./BatchSchema.ts"

export const maxBatchBytes = 256 * 1024 * 1024
const maxBatchItems = 100_000

type Operation = (typeof batchOperations)[number]

/** A request for batches: what it asks for, and of which one. */
export interface BatchRoute {
  readonly operation: Operation
  readonly id: string
}

const path = /^\/v1\/messages\/batches(?:\/([^/]+)(?:\/(cancel|results))?)?$/

const operations: { readonly [request: string]: Operation } = {
  "POST collection": "create",
  "GET collection": "list",
  "GET batch": "retrieve",
  "DELETE batch": "delete",
  "POST cancel": "cancel",
  "GET results": "results"
}

/** What a request asks for, if it is one for batches. */
export const batchRoute = (method: string, requestPath: string): BatchRoute | undefined => {
  const match = path.exec(requestPath)
  if (match === null) return undefined
  const [, id, action] = match
  const operation = operations[`${method} ${action ?? (id === undefined ? "collection" : "batch")}`]
  // No id of a batch needs an escape, so that one with an escape is none.
  return operation === undefined ? undefined : { operation, id: id ?? "" }
}

export interface BatchRequest extends BatchRoute {
  readonly headers: RequestHeaders
  readonly origin: string
  readonly query: URLSearchParams
  readonly bodyBytes: number
  readonly body: unknown
}

/** What a plan has for batches, and how far its steps are. */
export class BatchRun {
  readonly plan: typeof BatchPlan.Type
  readonly rules: typeof RequestRulesPlan.Type
  readonly #steps: ReadonlyMap<Operation, StepQueue>
  readonly #results: Array<ResultsFault>

  constructor(plan: typeof BatchPlan.Type = {}, rules: typeof RequestRulesPlan.Type = {}) {
    this.plan = plan
    this.rules = rules
    this.#steps = new Map(
      batchOperations.map((operation) => [operation, new StepQueue({ steps: plan.steps?.[operation] ?? [] })])
    )
    this.#results = [...plan.results ?? []]
  }

  nextStep(operation: Operation) {
    return this.#steps.get(operation)?.next({ model: undefined, elapsed: 0, content: () => "" })
      ?? { kind: "message" as const }
  }

  nextResultsFault(): ResultsFault {
    return this.#results.shift() ?? {}
  }
}

const refusal = (type: string, message: string): ApiErrorAnswer => ({
  status: statusOf(type),
  error: { type, message }
})

const invalid = (message: string): ApiErrorAnswer => refusal("invalid_request_error", message)

const customIdForm = /^[a-zA-Z0-9_-]{1,64}$/

/** The batches of a server, and what it does with requests for them. */
export class BatchApi {
  readonly #batches = new Map<string, Batch>()
  readonly #submissions = new Map<string, number>()
  #made = 0

  answer(request: BatchRequest, run: BatchRun, context: AnswerContext): Effect.Effect<void> {
    const step = run.nextStep(request.operation)
    if (step.kind !== "message") return answerStep(step, context)
    const now = context.clock.now()
    const done = this.#do(request, run, now)
    const answer = done instanceof Batch
      ? sendResults(context.exchange, {
        headers: apiHeaders(context, step.headers),
        lines: done.resultLines(),
        size: done.size,
        fault: run.nextResultsFault()
      })
      : isApiErrorAnswer(done)
      ? answerError(context, done.status, done.error, { headers: step.headers })
      : answerJson(step, context, done)
    return step.delay === undefined ? answer : Effect.delay(answer, step.delay)
  }

  /** What was asked for: an answer, or the batch of which the results are to be sent. */
  #do(request: BatchRequest, run: BatchRun, now: number): object | ApiErrorAnswer | Batch {
    const { headers, operation, origin } = request
    if (request.bodyBytes > maxBatchBytes) return refusal("request_too_large", "Request exceeds the maximum size")
    if (!headers["x-api-key"] && !headers["authorization"]) {
      return refusal("authentication_error", "x-api-key header is required")
    }
    if (operation === "create") return this.#create(request, run, now, origin)
    if (operation === "list") return this.#list(request.query, now, origin)
    const batch = this.#batches.get(request.id)
    if (batch === undefined) return refusal("not_found_error", `Batch ${request.id} not found`)
    switch (operation) {
      case "retrieve":
        return batch.view(now, origin)
      case "cancel":
        if (batch.hasEnded(now)) return invalid(`Batch ${batch.id} has ended and cannot be canceled`)
        batch.cancel(now)
        return batch.view(now, origin)
      case "delete":
        if (!batch.hasEnded(now)) return invalid(`Batch ${batch.id} has not ended and cannot be deleted`)
        this.#batches.delete(batch.id)
        return { id: batch.id, type: "message_batch_deleted" }
      case "results":
        if (!batch.hasEnded(now)) return invalid(`Batch ${batch.id} has not ended`)
        return batch.hasResults(now) ? batch : refusal("not_found_error", `The results of batch ${batch.id} are gone`)
    }
  }

  #create(request: BatchRequest, run: BatchRun, now: number, origin: string): MessageBatch | ApiErrorAnswer {
    const items = this.#items(request, run.rules)
    if (isApiErrorAnswer(items)) return items
    const batch = new Batch(`msgbatch_fake${String(++this.#made).padStart(20, "0")}`, items, run.plan, now)
    for (const { customId, submission } of items) this.#submissions.set(customId, submission)
    this.#batches.set(batch.id, batch)
    return batch.view(now, origin)
  }

  #items(
    { body, headers }: BatchRequest,
    rules: typeof RequestRulesPlan.Type
  ): ReadonlyArray<BatchItem> | ApiErrorAnswer {
    const requests = isRecord(body) ? body["requests"] : undefined
    if (requests === undefined) return invalid("requests: Field required")
    if (!Array.isArray(requests)) return invalid("requests: Input should be a valid list")
    if (requests.length === 0) return invalid("requests: List should have at least 1 item")
    if (requests.length > maxBatchItems) {
      return invalid(`requests: List should have at most ${maxBatchItems} items, not ${requests.length}`)
    }
    const seen = new Set<string>()
    const items: Array<BatchItem> = []
    for (const [index, request] of requests.entries()) {
      const customId: unknown = isRecord(request) ? request["custom_id"] : undefined
      const params: unknown = isRecord(request) ? request["params"] : undefined
      if (typeof customId !== "string" || !customIdForm.test(customId)) {
        return invalid(`requests.${index}.custom_id: String should match pattern '${customIdForm.source}'`)
      }
      if (!isRecord(params)) return invalid(`requests.${index}.params: Field required`)
      if (seen.has(customId)) return invalid(`requests.${index}.custom_id: Duplicate custom_id`)
      seen.add(customId)
      // A request that is wrong fails by itself, when it is its turn.
      const checked = checkRequest("messages", { headers, bodyBytes: 0, body: params, bodyIsJson: true }, rules)
      const isWrong = isApiErrorAnswer(checked)
      items.push({
        customId,
        model: isWrong ? "" : checked.model,
        inputTokens: isWrong ? 0 : estimateInputTokens(params),
        submission: (this.#submissions.get(customId) ?? 0) + 1,
        refusal: isWrong ? checked.error : undefined
      })
    }
    return items
  }

  #list(query: URLSearchParams, now: number, origin: string): object | ApiErrorAnswer {
    const limit = Number(query.get("limit") ?? 20)
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) return invalid("limit: Input should be from 1 to 1000")
    const newestFirst = [...this.#batches.values()].toReversed()
    const place = (id: string | null) => id === null ? -1 : newestFirst.findIndex((batch) => batch.id === id)
    const before = place(query.get("before_id"))
    const from = before === -1 ? place(query.get("after_id")) + 1 : Math.max(0, before - limit)
    const to = before === -1 ? from + limit : before
    const data = newestFirst.slice(from, to).map((batch) => batch.view(now, origin))
    return {
      data,
      has_more: before === -1 ? to < newestFirst.length : from > 0,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null
    }
  }
}

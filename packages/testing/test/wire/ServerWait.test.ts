import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Operation, quickPipeline, run, withWire } from "./support.ts"

interface Refusal {
  readonly status: number
  readonly type: string
  readonly code?: string
  readonly headers?: Record<string, string>
}

const stepOf = ({ code, headers, status, type }: Refusal, wait: Record<string, string>): FaultStep.FaultStep =>
  FaultStep.error({
    status,
    error: { type, ...(code !== undefined && { details: { error_code: code } }) },
    headers: { ...wait, ...headers }
  })

const nameOf = ({ code, headers, status, type }: Refusal): string =>
  [status, type, code, headers && JSON.stringify(headers)].filter((part) => part !== undefined).join(" ")

const operations: ReadonlyArray<Operation> = ["createMessage", "streamMessage", "countTokens"]

describe("a wait the server asks for, whatever the error that asks", () => {
  const retried: ReadonlyArray<Refusal> = [
    { status: 400, type: "invalid_request_error", code: "thread_continue_in_flight" },
    { status: 408, type: "timeout_error" },
    { status: 409, type: "conflict_error" },
    { status: 429, type: "rate_limit_error" },
    { status: 429, type: "rate_limit_error", code: "ramp_limit_exceeded" },
    { status: 500, type: "api_error" },
    { status: 503, type: "api_error", code: "cmek_context_unavailable" },
    { status: 504, type: "timeout_error" },
    { status: 529, type: "overloaded_error" },
    { status: 529, type: "overloaded_error", code: "compaction_unavailable" }
  ]
  for (const refusal of retried) {
    it.live(`is kept before the next request: ${nameOf(refusal)}`, () =>
      Effect.forEach(
        operations,
        (operation) =>
          withWire({ steps: [stepOf(refusal, { "retry-after-ms": "40" })] }, ({ api, claude }) =>
            Effect.gen(function*() {
              yield* run(claude, operation)
              const [first, second, ...others] = yield* api.requests
              assert.isAtLeast((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0), 40)
              assert.deepStrictEqual(others, [])
            }), quickPipeline())
      ))
  }

  const final: ReadonlyArray<Refusal & { readonly tag: ClaudeErrorTag }> = [
    { status: 429, type: "rate_limit_error", code: "enforced_spend_limit_reached", tag: "SpendLimitError" },
    { status: 429, type: "rate_limit_error", code: "contract_spend_limit_reached", tag: "SpendLimitError" },
    { status: 400, type: "invalid_request_error", tag: "InvalidRequestError" },
    { status: 402, type: "billing_error", tag: "BillingError" },
    { status: 501, type: "api_error", tag: "InternalServerError" },
    {
      status: 529,
      type: "overloaded_error",
      headers: { "x-should-retry": "false" },
      tag: "OverloadedError"
    },
    {
      status: 429,
      type: "rate_limit_error",
      code: "enforced_spend_limit_reached",
      headers: { "x-should-retry": "true" },
      tag: "SpendLimitError"
    }
  ]
  for (const refusal of final) {
    it.live(`makes no retry of an error that stops, and is in it: ${nameOf(refusal)}`, () =>
      Effect.forEach(
        operations,
        (operation) =>
          withWire({ after: stepOf(refusal, { "retry-after-ms": "40" }) }, ({ api, claude }) =>
            Effect.gen(function*() {
              const error = yield* Effect.flip(run(claude, operation))
              assert.strictEqual(error._tag, refusal.tag)
              assert.deepStrictEqual(error.retryAfter, Duration.millis(40))
              assert.strictEqual((yield* api.requests).length, 1)
            }), quickPipeline())
      ))
  }

  it.live("none is made up where the server names none", () =>
    withWire({ after: FaultStep.overloaded() }, ({ claude }) =>
      Effect.gen(function*() {
        for (const operation of operations) {
          const error = yield* Effect.flip(run(claude, operation))
          assert.isUndefined(error.retryAfter)
          assert.isUndefined(error.verdict._tag === "Retry" ? error.verdict.after : "stop")
        }
      })))
})

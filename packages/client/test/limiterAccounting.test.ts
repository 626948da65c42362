import {
  CircuitOpenError,
  type ClaudeError,
  ConcurrencyLimitError,
  ConnectionError,
  InternalServerError,
  OverloadedError,
  RateLimitedLocallyError,
  RateLimitError,
  StreamInterruptedError,
  UsageBudgetExceededError
} from "@effect-claude/client/ClaudeError"
import { fromMessage } from "@effect-claude/client/MessageEvents"
import { assert, describe, it } from "@effect/vitest"
import {
  countedUsage,
  snapshotOf,
  StreamUsage,
  usedByFailure,
  wasNeverSent
} from "../src/internal/limiter/accounting.ts"
import { LearnedCosts, usesCache } from "../src/internal/limiter/LearnedCosts.ts"
import { staticMessage } from "../src/internal/staticMessage.ts"

const request = (fields: object) => ({ model: "claude-sonnet-5-5", max_tokens: 100, messages: [], ...fields })

const marked = { type: "text", text: "t", cache_control: { type: "ephemeral" } }

const answer = (usage: object) => ({ ...staticMessage("hi", "claude-sonnet-5-5"), usage: usage as never })

describe("whether a request uses the prompt cache", () => {
  it("is told by a mark of the request, or of any part of it", () => {
    const message = (content: unknown) => ({ messages: [{ role: "user", content: "x" }, { role: "user", content }] })
    for (
      const fields of [
        { cache_control: { type: "ephemeral" } },
        { system: [marked] },
        { tools: [{ name: "t", input_schema: { type: "object" } }, { name: "u", cache_control: {} }] },
        message([marked]),
        message([{ type: "tool_result", tool_use_id: "t", content: [marked] }])
      ]
    ) assert.isTrue(usesCache(request(fields)), JSON.stringify(fields))
    for (
      const fields of [
        { system: "cache_control" },
        { system: null },
        { tools: [{ name: "t", cached: true }] },
        message("cache_control"),
        message([{ type: "text", text: "cache_control" }])
      ]
    ) assert.isFalse(usesCache(request(fields)), JSON.stringify(fields))
  })

  it("is not told by one that goes in a circle", () => {
    const content: Array<unknown> = []
    content.push({ type: "tool_result", content })
    assert.isFalse(usesCache(request({ messages: [{ role: "user", content }] })))
  })
})

describe("what a call is taken to cost", () => {
  it("is the estimate and 500 tokens of output before any answer, no more than asked for", () => {
    const costs = new LearnedCosts(2)
    assert.deepStrictEqual([costs.input("a", 100, true), costs.input("a", 100, false)], [100, 100])
    assert.deepStrictEqual([costs.output("a", 1000), costs.output("a", 400)], [500, 400])
  })

  it("is learned with and without a prompt cache apart, by eighths, with a tenth on top", () => {
    const costs = new LearnedCosts(2)
    costs.learn("a", 100, true, { input: 10, output: 80 })
    assert.deepStrictEqual([costs.input("a", 1000, true), costs.input("a", 1000, false)], [111, 1000])
    assert.strictEqual(costs.output("a", 1000), 80)
    costs.learn("a", 100, true, { input: 90, output: 160 })
    // 0.1 and an eighth of 0.8 make 0.2.
    assert.strictEqual(costs.input("a", 1000, true), 221)
    assert.strictEqual(costs.output("a", 1000), 90)
    costs.learn("a", 100, false, { input: 50, output: 90 })
    assert.deepStrictEqual([costs.input("a", 1000, true), costs.input("a", 1000, false)], [221, 550])
  })

  it("is at most half as much again as the estimate", () => {
    const costs = new LearnedCosts(2)
    costs.learn("a", 100, false, { input: 900, output: 1 })
    assert.strictEqual(costs.input("a", 100, false), 150)
  })

  it("is not learned from an estimate of nothing", () => {
    const costs = new LearnedCosts(2)
    costs.learn("a", 0, false, { input: 5, output: 7 })
    assert.deepStrictEqual([costs.input("a", 100, false), costs.output("a", 100)], [100, 7])
  })

  it("is known for the keys used most lately", () => {
    const costs = new LearnedCosts(2)
    for (const key of ["a", "b", "b", "a", "c"]) costs.learn(key, 100, false, { input: 100, output: 5 })
    assert.deepStrictEqual(["a", "b", "c"].map((key) => costs.output(key, 1000)), [5, 500, 5])
  })
})

describe("what counts toward the limits", () => {
  it("is input, what was written to the cache, and output, but not what was read from it", () => {
    const usage = {
      input_tokens: 1,
      cache_creation_input_tokens: 20,
      cache_read_input_tokens: 300,
      output_tokens: 4000
    }
    assert.deepStrictEqual(countedUsage(usage), { input: 21, output: 4000 })
    assert.deepStrictEqual(countedUsage({ output_tokens: 5 }), { input: 0, output: 5 })
    assert.deepStrictEqual(countedUsage({ input_tokens: 0 }), { input: 0, output: 0 })
  })

  it("is not known of a usage that counts nothing", () => {
    for (const value of [Number.POSITIVE_INFINITY, Number.NaN, -1, "5", null]) {
      assert.isUndefined(countedUsage({ input_tokens: value, output_tokens: value, cache_creation_input_tokens: 5 }))
    }
    for (const usage of [undefined, null, "none"]) assert.isUndefined(countedUsage(usage))
  })

  it("is of a stream what came last of each count", () => {
    const usage = new StreamUsage()
    assert.isFalse(usage.isStarted)
    assert.deepStrictEqual(usage.counted, undefined)
    const events = fromMessage(answer({ input_tokens: 10, output_tokens: 7, cache_creation_input_tokens: 5 }))
    const [start] = events
    if (start !== undefined) usage.add(start)
    assert.isTrue(usage.isStarted)
    assert.deepStrictEqual(usage.counted?.input, 15)
    usage.add({ type: "ping", usage: { output_tokens: 1000 } } as never)
    usage.add({ type: "message_delta", delta: {}, usage: { output_tokens: 9, input_tokens: null } } as never)
    assert.deepStrictEqual(usage.counted, { input: 15, output: 9 })
    usage.add({ type: "message_delta", delta: {}, usage: { output_tokens: 12, input_tokens: 20 } } as never)
    assert.deepStrictEqual(usage.counted, { input: 25, output: 12 })
  })
})

const connection = (code?: string) => new ConnectionError({ message: "m", ...(code === undefined ? {} : { code }) })

describe("a failed call", () => {
  const reserved = { input: 30, output: 400 }
  const notSent = [
    ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT", "EHOSTUNREACH", "ENETUNREACH"].map(
      connection
    ),
    ...["ERR_TLS_CERT_ALTNAME_INVALID", "ERR_SSL_WRONG_VERSION_NUMBER", "CERT_HAS_EXPIRED"].map(connection),
    new CircuitOpenError({ message: "m" }),
    new RateLimitedLocallyError({ message: "m" }),
    new ConcurrencyLimitError({ message: "m" }),
    new UsageBudgetExceededError({ message: "m" })
  ]
  const sent = [connection(), connection("ECONNRESET"), connection("UND_ERR_SOCKET"), connection("X_ECONNREFUSED")]

  it("was never sent if there was no connection, or something here held it back", () => {
    for (const error of notSent) assert.isTrue(wasNeverSent(error), `${error._tag} ${error.message}`)
    for (const error of [...sent, new OverloadedError({ message: "m", status: 529 })]) {
      assert.isFalse(wasNeverSent(error))
    }
  })

  it("has used nothing if it was not sent", () => {
    for (const error of notSent) assert.deepStrictEqual(usedByFailure(error, reserved), {})
  })

  it("has used its request and its input if how it ended is not known", () => {
    for (const error of sent) assert.deepStrictEqual(usedByFailure(error, reserved), { requests: 1, inputTokens: 30 })
  })

  it("has used what had arrived of an answer", () => {
    const partial = { message: answer({ input_tokens: 3, output_tokens: 9 }), text: "hi", events: 1 }
    assert.deepStrictEqual(
      usedByFailure(new StreamInterruptedError({ message: "m", partial }), reserved),
      { requests: 1, inputTokens: 3, outputTokens: 9 }
    )
  })

  it("has used a request if the server broke, and nothing if it refused", () => {
    const used: ReadonlyArray<readonly [ClaudeError, object]> = [
      [new InternalServerError({ message: "m", status: 500 }), { requests: 1 }],
      [new OverloadedError({ message: "m", status: 503 }), { requests: 1 }],
      [new OverloadedError({ message: "m", status: 529 }), {}],
      [new RateLimitError({ message: "m", status: 429 }), {}],
      [new InternalServerError({ message: "m" }), {}]
    ]
    for (const [error, costs] of used) assert.deepStrictEqual(usedByFailure(error, reserved), costs)
  })
})

describe("what the headers say of the limits", () => {
  const bucket = (limit: number) => ({ limit, remaining: limit - 1, resetAt: 61_000 })
  const report = (limit: number) => ({ limit, remaining: limit - 1, resetAfter: 60_000 })

  it("is nothing without headers", () => assert.deepStrictEqual(snapshotOf(undefined, false, 0), {}))

  it("is that of the limits the request counts toward", () => {
    const limits = { requests: bucket(1), inputTokens: bucket(2), outputTokens: bucket(3) }
    const usual = { requests: report(1), inputTokens: report(2), outputTokens: report(3) }
    const fast = { fastInputTokens: bucket(4), fastOutputTokens: bucket(5) }
    assert.deepStrictEqual(snapshotOf({ ...limits, ...fast }, false, 1000), usual)
    assert.deepStrictEqual(snapshotOf(limits, true, 1000), usual)
    assert.deepStrictEqual(snapshotOf({ ...limits, ...fast }, true, 1000), {
      ...usual,
      inputTokens: report(4),
      outputTokens: report(5)
    })
  })

  it("has no wait where no time is told, and none below nothing", () => {
    const limits = { requests: { limit: 1 }, inputTokens: { resetAt: 500 } } as never
    assert.deepStrictEqual(snapshotOf(limits, false, 1000), {
      requests: { limit: 1, remaining: undefined, resetAfter: undefined },
      inputTokens: { limit: undefined, remaining: undefined, resetAfter: 0 },
      outputTokens: undefined
    })
  })
})

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { type ClaudeError, ConnectionError, OverloadedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as TokenUsage from "@effect-claude/client/TokenUsage"
import * as UsageBudget from "@effect-claude/client/UsageBudget"
import * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { request, using } from "./support.ts"

const sequences = 300
const steps = 60
const callers = 6
const estimate = 10

const between = (least: number, most: number) => Random.nextIntBetween(least, most)
const oneOf = <A>(...values: ReadonlyArray<A>) => Effect.orDie(Random.choice(values))

/** A budget by its definition: what ended, and what is under way. */
class BudgetModel {
  readonly limit: number
  private readonly ended: Array<number> = []
  private readonly open = new Map<object, number>()

  constructor(limit: number) {
    this.limit = limit
  }

  get spent(): number {
    return this.ended.reduce((sum, amount) => sum + amount, 0)
  }

  get reserved(): number {
    return [...this.open.values()].reduce((sum, amount) => sum + amount, 0)
  }

  fits(amount: number): boolean {
    return this.spent + this.reserved + amount <= this.limit
  }

  take(attempt: object, amount: number): void {
    this.open.set(attempt, amount)
  }

  /** `undefined` for what nobody tells. */
  end(attempt: object, used: number | undefined): number {
    const amount = used ?? this.open.get(attempt) ?? 0
    this.open.delete(attempt)
    this.ended.push(amount)
    return amount
  }
}

interface Attempt {
  readonly done: Deferred.Deferred<Message, ClaudeError>
}

/** A service whose requests end as they are told to, and that shows those under way. */
class ManualService {
  readonly attempts: Array<Attempt> = []

  private readonly send = Effect.suspend(() => {
    const attempt = { done: Deferred.makeUnsafe<Message, ClaudeError>() }
    this.attempts.push(attempt)
    return Effect.ensuring(
      Deferred.await(attempt.done),
      Effect.sync(() => this.attempts.splice(this.attempts.indexOf(attempt), 1))
    )
  })

  readonly layer = Layer.succeed(ClaudeService, {
    createMessage: () => this.send,
    streamMessage: () =>
      Stream.unwrap(Effect.map(this.send, (message) => Stream.fromIterable(MessageEvents.fromMessage(message)))),
    countTokens: () => Effect.succeed({ input_tokens: 1 })
  })
}

interface Call {
  readonly fiber: Fiber.Fiber<unknown, ClaudeError>
  readonly budgets: ReadonlyArray<BudgetModel>
  readonly required: number
  attempt: Attempt
  retriesLeft: number
}

const sequence = Effect.gen(function*() {
  const service = new ManualService()
  const scope = UsageBudget.makeUnsafe({ limit: { tokens: yield* oneOf(100, 400, 2000) } })
  const scopeModel = new BudgetModel(scope.limit)
  const keyLimit = yield* oneOf(150, 600)
  const keyModels = new Map(["a", "b"].map((key) => [key, new BudgetModel(keyLimit)]))
  const ledger = yield* UsageLedger.make()
  const retries = yield* between(0, 2)
  let used = 0
  let refused = 0
  const running: Array<Call> = []
  const log: Array<string> = []

  const Claude = service.layer.pipe(
    ClaudeLayer.withRetry(Schedule.recurs(retries)),
    ClaudeLayer.withUsageLedger({ ledger, estimate: () => estimate, budget: { key: { limit: { tokens: keyLimit } } } })
  )

  const reserve = (call: Omit<Call, "attempt">, sent: number): Attempt | undefined => {
    const fits = call.budgets.every((budget) => budget.fits(call.required))
    assert.strictEqual(service.attempts.length, fits ? sent + 1 : sent, "what fits is sent, and nothing else")
    if (!fits) return undefined
    const attempt = service.attempts[sent] as Attempt
    for (const budget of call.budgets) budget.take(attempt, call.required)
    return attempt
  }

  const start = Effect.gen(function*() {
    const claude = yield* ClaudeService
    const key = yield* oneOf("a", "b")
    const max_tokens = yield* oneOf(10, 50, 200)
    const streamed = yield* Random.nextBoolean
    const given = { ...request, max_tokens }
    const asked: Effect.Effect<unknown, ClaudeError> = streamed
      ? Stream.runDrain(claude.streamMessage(given))
      : claude.createMessage(given)
    log.push(`${key} asks for ${max_tokens}${streamed ? " in a stream" : ""}`)
    const sent = service.attempts.length
    const fiber = yield* Effect.forkChild(asked.pipe(UsageLedger.withKey(key), UsageBudget.withBudget(scope)), {
      startImmediately: true
    })
    const call = {
      fiber,
      budgets: [keyModels.get(key) as BudgetModel, scopeModel],
      required: estimate + max_tokens,
      retriesLeft: retries
    }
    const attempt = reserve(call, sent)
    if (attempt !== undefined) {
      running.push({ ...call, attempt })
      return
    }
    refused += 1
    assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "UsageBudgetExceededError")
  })

  const settle = (call: Call, amount: number | undefined) => {
    for (const budget of call.budgets) budget.end(call.attempt, amount)
  }

  const end = Effect.gen(function*() {
    const index = yield* between(0, running.length - 1)
    const call = running[index] as Call
    running.splice(index, 1)
    const how = yield* oneOf("succeeds", "overloaded", "reset", "interrupted")
    log.push(`number ${index} is ${how}`)
    if (how === "interrupted") {
      settle(call, undefined)
      yield* Fiber.interrupt(call.fiber)
      return
    }
    if (how === "succeeds") {
      const output_tokens = yield* between(0, call.required - estimate)
      const cache_read_input_tokens = yield* between(0, estimate)
      const usage = { input_tokens: estimate - cache_read_input_tokens, cache_read_input_tokens, output_tokens }
      settle(call, estimate + output_tokens)
      used += estimate + output_tokens
      yield* Deferred.succeed(call.attempt.done, Reply.message("hi", { usage }))
      yield* Fiber.join(call.fiber)
      return
    }
    settle(call, how === "overloaded" ? 0 : undefined)
    const sent = service.attempts.length - 1
    yield* Deferred.fail(
      call.attempt.done,
      how === "overloaded"
        ? new OverloadedError({ message: how })
        : new ConnectionError({ message: how, code: "ECONNRESET" })
    )
    yield* TestClock.adjust(0)
    if (call.retriesLeft === 0) {
      yield* Effect.flip(Fiber.join(call.fiber))
      return
    }
    const retry = { ...call, retriesLeft: call.retriesLeft - 1 }
    const attempt = reserve(retry, sent)
    if (attempt !== undefined) running.push({ ...retry, attempt })
    else assert.strictEqual((yield* Effect.flip(Fiber.join(call.fiber)))._tag, "UsageBudgetExceededError")
  })

  const agrees = Effect.gen(function*() {
    const level = yield* scope.level
    const { limit, reserved, spent } = scopeModel
    assert.deepStrictEqual(level, { spent, reserved, remaining: limit - spent - reserved })
    assert.isAtMost(level.spent + level.reserved, scope.limit)
    for (const budget of keyModels.values()) assert.isAtMost(budget.spent + budget.reserved, budget.limit)
  })

  yield* Effect.gen(function*() {
    for (let step = 0; step < steps; step++) {
      const isFull = running.length === callers
      if (running.length === 0 || (!isFull && (yield* Random.nextBoolean))) yield* start
      else yield* end
      yield* agrees
    }
    for (const { fiber } of running) yield* Fiber.interrupt(fiber)
    for (const call of running.splice(0)) settle(call, undefined)
    assert.strictEqual((yield* scope.level).reserved, 0)
    yield* agrees
  }).pipe(
    (test) => using(test, Claude),
    Effect.catchDefect((defect) => Effect.die(new Error(`${String(defect)}\n${log.join("\n")}`, { cause: defect })))
  )

  const { byKey, totals } = yield* ledger.snapshot
  const sums = [...byKey.values()].map(({ usage }) => TokenUsage.total(usage))
  assert.strictEqual(sums.reduce((sum, tokens) => sum + tokens, 0), TokenUsage.total(totals.usage))
  assert.strictEqual(TokenUsage.total(totals.usage) - TokenUsage.total(totals.wasted), used)
  return refused
})

describe("UsageBudget agrees with a model", () => {
  it.effect(
    `in ${sequences} random sequences of ${steps} steps and up to ${callers} calls at once`,
    () =>
      Effect.gen(function*() {
        let refused = 0
        for (let index = 0; index < sequences; index++) {
          const seed = `usage ${index}`
          refused += yield* sequence.pipe(
            Random.withSeed(seed),
            Effect.catchDefect((defect) => Effect.die(new Error(`seed "${seed}": ${String(defect)}`)))
          )
        }
        assert.isAbove(refused, sequences)
      }),
    60_000
  )
})

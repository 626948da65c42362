import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { type Answer, post, request } from "./FakeClaudeApi.rawClient.ts"

type Name = "requests" | "tokens" | "input-tokens" | "output-tokens"

const header = ({ headers }: Answer, name: Name, field: string): string =>
  headers.get(`anthropic-ratelimit-${name}-${field}`) ?? ""
const remaining = (answer: Answer, name: Name): number => Number(header(answer, name, "remaining"))
const resetAt = (answer: Answer, name: Name): number => Date.parse(header(answer, name, "reset"))

const serve = (plan: FaultPlan.FaultPlanInput) => FakeClaudeApi.make({ plan })
const using = (usage: FaultStep.MessageOptions["usage"]) => FaultStep.message({ usage })

describe("reported limits", () => {
  it.live("go down with use and are full again at the reset", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        after: using({ input_tokens: 500_000, output_tokens: 300_000, cache_read_input_tokens: 9e6 }),
        rateLimits: { requests: 40, inputTokens: 2_000_000, outputTokens: 400_000 }
      })
      const sentAt = Date.now()
      const answer = yield* post(api.url)

      assert.strictEqual(header(answer, "requests", "limit"), "40")
      assert.strictEqual(header(answer, "tokens", "limit"), "2400000")
      assert.strictEqual(remaining(answer, "requests"), 39)
      assert.strictEqual(remaining(answer, "input-tokens"), 1_500_000)
      assert.strictEqual(remaining(answer, "output-tokens"), 100_000)
      assert.strictEqual(remaining(answer, "tokens"), 1_600_000)
      // A quarter of a minute's input and three quarters of its output, in whole seconds.
      assert.closeTo(resetAt(answer, "input-tokens") - sentAt, 15_500, 1_000)
      assert.closeTo(resetAt(answer, "output-tokens") - sentAt, 45_500, 1_000)
      assert.match(header(answer, "tokens", "reset"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    }))

  it.live("tell the time to the millisecond when a window is short", () =>
    Effect.gen(function*() {
      const api = yield* serve({ rateLimits: { requests: 4, window: "2 seconds" } })
      const sentAt = Date.now()
      const answer = yield* post(api.url)
      assert.match(header(answer, "requests", "reset"), /\.\d\d\dZ$/)
      const took = Date.now() - sentAt
      assert.isAtLeast(resetAt(answer, "requests") - sentAt, 495)
      assert.isAtMost(resetAt(answer, "requests") - sentAt, 525 + 30 + took)
    }))

  it.live("are rounded to thousands, or as the plan says", () =>
    Effect.gen(function*() {
      const after = using({ input_tokens: 1_234, output_tokens: 1 })
      const left = (rateLimits: FaultPlan.FaultPlanInput["rateLimits"]) =>
        Effect.gen(function*() {
          const api = yield* serve({ after, ...(rateLimits === undefined ? {} : { rateLimits }) })
          return remaining(yield* post(api.url), "input-tokens")
        })
      assert.strictEqual(yield* left({ inputTokens: 500_000 }), 499_000)
      assert.strictEqual(yield* left({ inputTokens: 20_000 }), 18_800)
      assert.strictEqual(yield* left({ inputTokens: 50 }), 0)
      assert.closeTo(yield* left({ inputTokens: 500_000, rounding: 1 }), 498_766, 20)
    }))

  it.live("are so generous without a plan's that nothing seems to be used up", () =>
    Effect.gen(function*() {
      const api = yield* serve({ after: using({ input_tokens: 100_000, output_tokens: 60_000 }) })
      const answers = yield* Effect.all(Array.from({ length: 100 }, () => post(api.url)), { concurrency: 10 })
      for (const answer of answers) {
        for (const name of ["requests", "tokens", "input-tokens", "output-tokens"] as const) {
          assert.isAbove(remaining(answer, name) / Number(header(answer, name, "limit")), 0.95)
        }
      }
    }))

  it.live("are not enforced if the plan says so, and never in debt", () =>
    Effect.gen(function*() {
      const api = yield* serve({ rateLimits: { requests: 2, enforce: false } })
      const answers = yield* Effect.all(Array.from({ length: 5 }, () => post(api.url)))
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200])
      assert.deepStrictEqual(answers.map((answer) => remaining(answer, "requests")), [1, 0, 0, 0, 0])
    }))
})

describe("enforced limits", () => {
  const large = { ...request, messages: [{ role: "user", content: "x".repeat(4_000) }] }

  const exhausted: ReadonlyArray<
    readonly [Name, FaultPlan.FaultPlanInput, body: unknown, statuses: ReadonlyArray<number>, wait: number]
  > = [
    ["requests", { rateLimits: { requests: 3 } }, request, [200, 200, 200, 429], 20],
    ["input-tokens", { rateLimits: { inputTokens: 2_050 } }, large, [200, 200, 429], 30],
    [
      "output-tokens",
      { rateLimits: { outputTokens: 100 }, after: using({ output_tokens: 60 }) },
      request,
      [200, 200, 429],
      // The second answer overdrew the limit by 20.
      13
    ]
  ]
  for (const [name, plan, body, statuses, wait] of exhausted) {
    it.live(`${name}: a 429 that says how long to wait`, () =>
      Effect.gen(function*() {
        const api = yield* serve(plan)
        const answers = yield* Effect.all(statuses.map(() => post(api.url, { body })))
        const last = answers.at(-1)
        assert.deepStrictEqual(answers.map(({ status }) => status), [...statuses])
        if (last === undefined) return assert.fail("no answer")
        assert.closeTo(Number(last.headers.get("retry-after")), wait, 1)
        assert.match(last.headers.get("retry-after") ?? "", /^\d+$/)
        assert.isBelow(remaining(last, name), name === "input-tokens" ? 100 : 1)
        const { error } = JSON.parse(last.text)
        assert.strictEqual(error.type, "rate_limit_error")
        assert.include(error.message, name.replace("-", " "))
      }))
  }

  it.live("a refused request takes nothing, and no step of the plan", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        steps: [FaultStep.message({ text: "first" }), FaultStep.message({ text: "second" })],
        rateLimits: { requests: 2, window: "1 hour" }
      })
      const answers = yield* Effect.all(Array.from({ length: 12 }, () => post(api.url)))
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, ...Array.from({ length: 10 }, () => 429)])
      assert.isTrue(answers[1]?.text.includes("second"))
      // Ten that were refused owe nothing: the next slot is half an hour away and not five.
      assert.isAtMost(Number(answers[11]?.headers.get("retry-after")), 1800)
    }))

  it.live("a request that waited as it was told is let in", () =>
    Effect.gen(function*() {
      const api = yield* serve({ rateLimits: { requests: 1, window: "900 millis" } })
      assert.strictEqual((yield* post(api.url)).status, 200)
      const refused = yield* post(api.url)
      assert.strictEqual(refused.status, 429)
      const wait = Number(refused.headers.get("retry-after"))
      assert.strictEqual((yield* Effect.delay(post(api.url), wait * 1000)).status, 200)
    }))

  it.live("a model with limits of its own leaves those of the others alone", () =>
    Effect.gen(function*() {
      const api = yield* serve({ rateLimits: { requests: 1, models: { small: { requests: 2 } } } })
      const ask = (model: string) => Effect.map(post(api.url, { body: { ...request, model } }), ({ status }) => status)
      assert.deepStrictEqual(
        yield* Effect.all(["a", "b", "small", "small", "small"].map(ask)),
        [200, 429, 200, 200, 429]
      )
    }))

  it.live("counting tokens and refused requests use nothing", () =>
    Effect.gen(function*() {
      const api = yield* serve({ rateLimits: { requests: 1 } })
      const { max_tokens: _, ...counted } = request
      yield* post(api.url, { path: "/v1/messages/count_tokens", body: counted })
      assert.strictEqual((yield* post(api.url, { body: { ...request, messages: [] } })).status, 400)
      assert.strictEqual((yield* post(api.url)).status, 200)
    }))

  it.live("errors read no input, and their requests count", () =>
    Effect.gen(function*() {
      const api = yield* serve({ steps: [FaultStep.overloaded()], rateLimits: { requests: 2, inputTokens: 1_100 } })
      const statuses = yield* Effect.all(
        [large, large, request].map((body) => Effect.map(post(api.url, { body }), ({ status }) => status))
      )
      assert.deepStrictEqual(statuses, [529, 200, 429])
    }))

  it.live("output counts while a stream is running", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        steps: [
          FaultStep.message({ text: "one two three four", usage: { output_tokens: 80 }, eventDelay: "60 millis" })
        ],
        rateLimits: { outputTokens: 100, rounding: 1 }
      })
      const stream = yield* Effect.forkChild(post(api.url, { body: { ...request, stream: true } }))
      yield* api.awaitRequests(1)
      const left: Array<number> = []
      const { max_tokens: _, ...counted } = request
      for (let round = 0; round < 8; round++) {
        yield* Effect.sleep("50 millis")
        left.push(
          remaining(yield* post(api.url, { path: "/v1/messages/count_tokens", body: counted }), "output-tokens")
        )
      }
      yield* Fiber.join(stream)
      assert.isTrue(left.some((tokens) => tokens > 20 && tokens < 100), left.join())
      assert.closeTo(left.at(-1) ?? 0, 21, 2)
    }))
})

describe("FaultStep.rateLimit", () => {
  it.live("shows the limit it is about as used up", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        steps: [
          FaultStep.rateLimit(),
          FaultStep.rateLimit({ limit: "inputTokens", errorCode: "ramp_limit_exceeded" })
        ]
      })
      const sentAt = Date.now()
      const [requests, input, healthy] = yield* Effect.all([post(api.url), post(api.url), post(api.url)])
      assert.strictEqual(remaining(requests, "requests"), 0)
      assert.closeTo(resetAt(requests, "requests") - sentAt, 60_500, 1_000)
      assert.isAbove(remaining(requests, "input-tokens"), 0)
      assert.strictEqual(remaining(input, "input-tokens"), 0)
      assert.isAbove(remaining(input, "requests"), 0)
      assert.strictEqual(remaining(input, "tokens"), remaining(input, "output-tokens"))
      assert.strictEqual(header(input, "tokens", "reset"), header(input, "input-tokens", "reset"))
      assert.strictEqual(JSON.parse(input.text).error.details.error_code, "ramp_limit_exceeded")
      assert.isAbove(remaining(healthy, "requests"), 0)
    }))
})

describe("outages", () => {
  it.live("give their step to whatever arrives meanwhile, and take none of the others", () =>
    Effect.gen(function*() {
      const plan = FaultPlan.make({
        steps: [FaultStep.message({ text: "first" }), FaultStep.message({ text: "second" })],
        outages: [{ from: "200 millis", to: "500 millis", step: FaultStep.overloaded() }],
        models: { other: {} }
      })
      const api = yield* serve(plan)
      yield* api.setPlan(plan)
      const startedAt = performance.now()
      const at = (millis: number, model = request.model) =>
        Effect.delay(
          post(api.url, { body: { ...request, model } }),
          Math.max(0, startedAt + millis - performance.now())
        )
      const answers = yield* Effect.all([at(20), at(300), at(330, "other"), at(400), at(550)], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(answers.map(({ status }) => status), [200, 529, 200, 529, 200])
      assert.include(answers[0].text, "first")
      assert.include(answers[4].text, "second")
    }))
})

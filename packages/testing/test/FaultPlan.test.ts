import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { StepQueue } from "../src/internal/fake/StepQueue.ts"

const mistakes = (plan: unknown) =>
  Effect.map(Effect.flip(FaultPlan.decodeJson(JSON.stringify(plan))), ({ message }) => message)

describe("decodeJson", () => {
  it.effect("a plan with every kind of step, and back", () =>
    Effect.gen(function*() {
      const json = {
        steps: [
          {
            kind: "error",
            times: 2,
            status: 429,
            error: { type: "rate_limit_error" },
            headers: { "retry-after": "1" }
          },
          { kind: "response", delay: "20 millis", status: 502, contentType: "text/html", body: "<html>" },
          { kind: "disconnect", how: "reset" },
          { kind: "capacity", limit: 2, serviceTime: 50 },
          {
            kind: "message",
            text: "Hello",
            eventDelay: "1 second",
            chunkBytes: 3,
            insert: [{ kind: "ping", count: "forever", interval: "15 seconds" }],
            interrupt: { how: "stall", afterEvents: 5 }
          }
        ],
        after: { kind: "message", content: [{ type: "tool_use", name: "look", input: {} }] },
        models: { "claude-haiku-5-5": { after: { kind: "disconnect", how: "close" } } },
        outages: [{ from: "6 seconds", to: "12 seconds", step: { kind: "disconnect", how: "close" } }],
        rateLimits: {
          requests: 50,
          window: "6 seconds",
          models: { "claude-opus-5-5": { inputTokens: 30_000 } },
          otherConsumers: { requestsPerSecond: 0.5, inputTokens: 100, from: "1 second" }
        }
      }
      const plan = yield* FaultPlan.decodeJson(JSON.stringify(json))
      assert.deepStrictEqual(plan.steps?.[1]?.delay, Duration.millis(20))

      const encoded = yield* Schema.encodeEffect(FaultPlan.FaultPlan)(plan)
      assert.deepStrictEqual(yield* FaultPlan.decodeJson(JSON.stringify(encoded)), plan)
      assert.deepStrictEqual(FaultPlan.make(plan), plan)
    }))

  const wrong: ReadonlyArray<readonly [string, unknown, string | RegExp]> = [
    ["an unknown field of the plan", { stpes: [] }, "stpes: Unknown field"],
    [
      "an unknown field of a step",
      { steps: [{ kind: "message" }, { kind: "message", dely: 1 }] },
      "steps[1].dely: Unknown field"
    ],
    [
      "an unknown field inside a step",
      { after: { kind: "message", interrupt: { how: "stall", after: 1 } } },
      "after.interrupt.after: Unknown field"
    ],
    ["an unknown kind", { steps: [{ kind: "mesage" }] }, /^steps\[0\].*message/],
    ["no kind", { steps: [{ status: 500 }] }, /^steps\[0\]/],
    ["a missing field", { steps: [{ kind: "error", status: 500 }] }, "steps[0].error: Missing field"],
    [
      "a status beyond the range",
      { steps: [{ kind: "error", status: 600, error: { type: "x" } }] },
      /^steps\[0\]\.status: .*400 to 599, got 600$/
    ],
    [
      "a delay that is no time",
      { steps: [{ kind: "message", delay: "soon" }] },
      /^steps\[0\]\.delay: .*"2 seconds", got "soon"$/
    ],
    ["a negative delay", { steps: [{ kind: "message", delay: -5 }] }, /^steps\[0\]\.delay: .*got -5$/],
    ["an endless delay", { steps: [{ kind: "message", delay: "Infinity" }] }, /^steps\[0\]\.delay: .*got "Infinity"$/],
    ["no repetition", { steps: [{ kind: "message", times: 0 }] }, /^steps\[0\]\.times: .*from 1 up, got 0$/],
    ["times on the last step", { after: { kind: "message", times: 3 } }, /^after\.times: /],
    [
      "text and content",
      { steps: [{ kind: "message", text: "a", content: [] }] },
      "steps[0]: Expected text or content, not both"
    ],
    ["an interruption beyond the answer", {
      steps: [{ kind: "message", text: "hi", interrupt: { how: "end", afterEvents: 7 } }]
    }, "steps[0].interrupt.afterEvents: Expected at most 6, the number of events in this answer"],
    ["an insertion beyond the answer", {
      steps: [{ kind: "message", text: "hi", insert: [{ kind: "ping", afterEvents: 7 }] }]
    }, "steps[0].insert[0].afterEvents: Expected at most 6, the number of events in this answer"],
    [
      "endless pings without a pause",
      { steps: [{ kind: "message", insert: [{ kind: "ping", count: "forever" }] }] },
      /^steps\[0\]\.insert\[0\]\.interval: /
    ],
    [
      "error and data",
      { steps: [{ kind: "message", interrupt: { how: "error", data: "x", error: { type: "y" } } }] },
      "steps[0].interrupt: Expected error or data, not both"
    ],
    [
      "a header that spans lines",
      { steps: [{ kind: "response", status: 200, headers: { "x-a": "b\r\nc: d" } }] },
      /^steps\[0\]\.headers\.x-a: /
    ],
    [
      "a header name that is none",
      { steps: [{ kind: "response", status: 200, headers: { "x a": "b" } }] },
      "steps[0].headers.x a: Expected a header name"
    ],
    [
      "an outage that ends before it begins",
      { outages: [{ from: 5, to: 5, step: { kind: "message" } }] },
      "outages[0].to: Expected a time later than from"
    ],
    [
      "times in an outage",
      { outages: [{ from: 0, step: { kind: "message", times: 2 } }] },
      /^outages\[0\]\.step\.times: /
    ],
    [
      "rate limits without a limit",
      { rateLimits: { enforce: true } },
      "rateLimits: Expected at least one of requests, inputTokens, outputTokens, models, ramp, priority, fast"
    ],
    ["a limit of nothing", { rateLimits: { requests: 0 } }, /^rateLimits\.requests: .*from 1 up, got 0$/],
    ["a window of nothing", { rateLimits: { requests: 1, window: 0 } }, /^rateLimits\.window: .*above zero/],
    [
      "a share of more than all",
      { rateLimits: { requests: 1, otherConsumers: { share: 1.5 } } },
      /^rateLimits\.otherConsumers\.share: .*at most 1, got 1\.5$/
    ],
    [
      "other consumers told twice",
      { rateLimits: { requests: 1, otherConsumers: { share: 0.5, requestsPerSecond: 1 } } },
      "rateLimits.otherConsumers: Expected either share or requestsPerSecond"
    ],
    [
      "an unknown limit of an error",
      { steps: [{ kind: "error", status: 429, error: { type: "x" }, limit: "input" }] },
      /^steps\[0\]\.limit: /
    ],
    [
      "a step inside a model's plan",
      { models: { m: { steps: [{ kind: "disconnect", how: "politely" }] } } },
      /^models\.m\.steps\[0\]\.how: .*politely/
    ]
  ]
  for (const [name, plan, expected] of wrong) {
    it.effect(`names ${name}`, () =>
      Effect.gen(function*() {
        const message = yield* mistakes(plan)
        if (typeof expected === "string") assert.strictEqual(message, expected)
        else assert.match(message, expected)
      }))
  }

  it.effect("names every mistake, one a line", () =>
    Effect.gen(function*() {
      const message = yield* mistakes({ steps: [{ kind: "message", times: -1, delay: "soon" }], aftr: {} })
      assert.sameMembers(message.split("\n").map((line) => line.split(":")[0]), [
        "aftr",
        "steps[0].delay",
        "steps[0].times"
      ])
    }))

  it.effect("refuses text that is no JSON", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(FaultPlan.decodeJson("{ steps: [] }"))
      assert.strictEqual(error._tag, "FaultPlanError")
      assert.match(error.message, /^Not JSON: /)
    }))
})

describe("constructors", () => {
  it("wrong options throw, naming constructor, option and value", () => {
    assert.throws(
      () => FaultStep.cutStream({ afterEvents: -1 }),
      RangeError,
      /^FaultStep\.cutStream: interrupt\.afterEvents: .*got -1$/
    )
    assert.throws(() => FaultStep.overloaded({ times: 1.5 }), RangeError, /^FaultStep\.overloaded: times: .*got 1\.5$/)
    assert.throws(() => FaultStep.slowFirstByte(Number.NaN), RangeError, /^FaultStep\.slowFirstByte: delay: .*got NaN$/)
    assert.throws(
      () => FaultStep.rateLimit({ retryAfter: -1 }),
      RangeError,
      /^FaultStep\.rateLimit: retryAfter: .*got -1$/
    )
    assert.throws(
      () => FaultPlan.make({ after: { kind: "message", times: 2 } }),
      RangeError,
      /^FaultPlan\.make: after\.times: /
    )
  })

  it("any form of a duration is a time", () => {
    assert.deepStrictEqual(FaultStep.slowBody({ seconds: 1 }), FaultStep.slowBody("1 second"))
    assert.deepStrictEqual(FaultStep.slowBody(Duration.seconds(1)), FaultStep.slowBody(1000))
  })

  it("an option that was not given leaves no field", () => {
    assert.deepStrictEqual(FaultStep.stallStream(), { kind: "message", interrupt: { how: "stall" } })
    assert.deepStrictEqual(FaultStep.overloaded(), { kind: "error", status: 529, error: { type: "overloaded_error" } })
    assert.deepStrictEqual(FaultStep.closed({ times: undefined }), { kind: "disconnect", how: "close" })
  })
})

describe("StepQueue", () => {
  const Times = Schema.Literals([1, 2, 3])
  const Queue = Schema.Array(Times)
  const Model = Schema.Literals(["a", "b", "other"])

  it.effect.prop(
    "hands out each step as often as it says, for each model on its own",
    { shared: Queue, a: Queue, b: Queue, calls: Schema.Array(Model) },
    ({ a, b, calls, shared }) =>
      Effect.sync(() => {
        // A step is known by its status, so that the model below is a list of numbers.
        const steps = (times: ReadonlyArray<number>, base: number) =>
          times.map((times, index) => FaultStep.error({ status: base + index % 90, times, error: { type: "x" } }))
        const after = (status: number) => FaultStep.error({ status, error: { type: "x" } })
        const expanded = (times: ReadonlyArray<number>, base: number) =>
          times.flatMap((times, index) => Array.from({ length: times }, () => base + index % 90))
        const queue = new StepQueue(FaultPlan.make({
          steps: steps(shared, 400),
          models: { a: { steps: steps(a, 500), after: after(599) }, b: { steps: steps(b, 400), after: after(499) } }
        }))
        const left = { a: expanded(a, 500), b: expanded(b, 400), other: expanded(shared, 400) }
        const last = { a: 599, b: 499, other: 200 }
        for (const model of calls) {
          const step = queue.next({ model, elapsed: 0, content: () => "" })
          assert.strictEqual(step.kind === "error" ? step.status : 200, left[model].shift() ?? last[model])
        }
      }),
    { arbitrary: { runs: 200, seed: 7 } }
  )
})

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { Draws, mostRemembered } from "../src/internal/fake/Draw.ts"
import { StepQueue } from "../src/internal/fake/StepQueue.ts"
import { post, request } from "./FakeClaudeApi.rawClient.ts"

const plan = (share: number, seed?: string): FaultPlan.FaultPlan =>
  FaultPlan.make({
    ...(seed === undefined ? {} : { seed }),
    outages: [{ from: 0, share, step: FaultStep.overloaded() }]
  })

/** Which of the requests an outage struck, each with how often its content had come. */
const struck = (fault: FaultPlan.FaultPlan, contents: ReadonlyArray<string>): ReadonlyArray<string> => {
  const queue = new StepQueue(fault)
  const times = new Map<string, number>()
  return contents.flatMap((content) => {
    const nth = (times.get(content) ?? 0) + 1
    times.set(content, nth)
    const { kind } = queue.next({ model: undefined, elapsed: 0, content: () => content })
    return kind === "error" ? [`${content} ${nth}`] : []
  }).toSorted()
}

const Contents = Schema.Array(Schema.Literals(["a", "b", "c", "longer text", "a0", ""]))

describe("what a server remembers of requests", () => {
  it("has a bound, and the one that was not asked for longest goes first", () => {
    const draws = new Draws("seed")
    const draw = (content: string) => draws.next(content)("share")
    const once = { old: draw("old"), kept: draw("kept") }
    for (let index = 0; index < mostRemembered - 2; index++) draw(String(index))
    const twice = draw("kept")
    assert.notStrictEqual(twice, once.kept)
    draw("one more")
    assert.strictEqual(draw("old"), once.old)
    assert.notInclude([once.kept, twice], draw("kept"))
  })
})

describe("shares", () => {
  it("are what the plan says, of different requests and of one that repeats", () => {
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      const different = Array.from({ length: 20_000 }, (_, index) => `{"messages":[{"content":"caller ${index}"}]}`)
      const same = Array.from({ length: 20_000 }, () => "{}")
      for (const contents of [different, same]) {
        // Four standard deviations.
        const tolerance = 4 * Math.sqrt(share * (1 - share) / contents.length)
        assert.closeTo(struck(plan(share), contents).length / contents.length, share, tolerance)
      }
    }
  })

  it.effect.prop(
    "depend on content and number, not on the order of arrival",
    { contents: Contents, seed: Schema.Literals(["", "one", "two"]) },
    ({ contents, seed }) =>
      Effect.gen(function*() {
        const shuffled = yield* Random.shuffle(contents)
        assert.deepStrictEqual(struck(plan(0.5, seed), [...shuffled]), struck(plan(0.5, seed), contents))
      }),
    { arbitrary: { runs: 300, seed: 3 } }
  )

  it("are others with another seed, and all the same without one", () => {
    const contents = Array.from({ length: 200 }, (_, index) => `caller ${index}`)
    const of = (seed?: string) => struck(plan(0.5, seed), contents)
    assert.deepStrictEqual(of(), of())
    assert.deepStrictEqual(of(), of(""))
    assert.notDeepEqual(of("one"), of("two"))
  })

  it("of outages that overlap are drawn apart: the second strikes its share of what the first leaves", () => {
    const both = FaultPlan.make({
      outages: [
        { from: 0, share: 0.5, step: FaultStep.overloaded() },
        { from: 0, share: 0.5, step: FaultStep.reset() }
      ]
    })
    const queue = new StepQueue(both)
    const kinds = Array.from(
      { length: 10_000 },
      (_, index) => queue.next({ model: undefined, elapsed: 0, content: () => String(index) }).kind
    )
    assert.closeTo(kinds.filter((kind) => kind === "disconnect").length / kinds.length, 0.25, 0.02)
  })

  it("never read a request whose plan leaves nothing to chance", () => {
    const queue = new StepQueue(FaultPlan.make({ outages: [{ from: 0, step: FaultStep.reset() }] }))
    const content = (): string => assert.fail("read")
    assert.strictEqual(queue.next({ model: undefined, elapsed: 0, content }).kind, "disconnect")
  })

  it.effect("are above 0 and at most 1", () =>
    Effect.gen(function*() {
      for (const share of [0, -1, 1.5]) {
        const json = JSON.stringify({ outages: [{ from: 0, share, step: { kind: "message" } }] })
        const { message } = yield* Effect.flip(FaultPlan.decodeJson(json))
        assert.match(message, /^outages\[0\]\.share: .*above 0, at most 1/)
      }
    }))
})

describe("the same seed over the wire", () => {
  const statuses = Effect.fnUntraced(function*(concurrency: number) {
    const api = yield* FakeClaudeApi.make({
      plan: { seed: "storm", outages: [{ from: 0, share: 0.4, step: FaultStep.overloaded() }] }
    })
    const callers = Array.from({ length: 40 }, (_, index) => index)
    return yield* Effect.forEach(callers, (caller) =>
      Effect.map(
        post(api.url, { body: { ...request, messages: [{ role: "user", content: `caller ${caller}` }] } }),
        ({ status }) => status
      ), { concurrency })
  })

  it.live("gives every caller the same answer, one at a time and all at once", () =>
    Effect.gen(function*() {
      const alone = yield* statuses(1)
      assert.deepStrictEqual(yield* statuses(40), alone)
      assert.isTrue(alone.includes(200) && alone.includes(529))
    }))
})

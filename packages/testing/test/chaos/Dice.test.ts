import { assert, it } from "@effect/vitest"
import { ContentCounter, digest, maxContents, uniform } from "../../src/internal/chaos/Dice.ts"

it("numbers the calls of a content, for as many contents as it remembers", () => {
  const counter = new ContentCounter()
  const count = (content: number) => counter.next("createMessage", { content }).count
  assert.deepStrictEqual([count(0), count(0), count(1), count(0)], [1, 2, 1, 3])
  for (let content = 2; content < maxContents; content++) count(content)
  // All are remembered; one more makes the one go that was not used for longest.
  assert.strictEqual(count(0), 4)
  assert.strictEqual(count(maxContents), 1)
  assert.strictEqual(count(0), 5)
  assert.strictEqual(count(1), 1)
})

it("tells methods and requests apart", () => {
  const counter = new ContentCounter()
  const contents = [
    counter.next("createMessage", { model: "a" }),
    counter.next("streamMessage", { model: "a" }),
    counter.next("createMessage", { model: "b" })
  ].map(({ content }) => content)
  assert.strictEqual(new Set(contents).size, 3)
})

it("draws evenly, and one character changes the draw", () => {
  const draws = Array.from({ length: 20_000 }, (_, number) => uniform(`seed/fault/0/${digest(`call ${number}`)}.1`))
  const tenths = Array.from(
    { length: 10 },
    (_, tenth) => draws.filter((draw) => draw >= tenth / 10 && draw < (tenth + 1) / 10).length
  )
  // Chi squared of nine degrees of freedom is above 27.9 once in a thousand times.
  const chiSquared = tenths.reduce((sum, seen) => sum + (seen - 2_000) ** 2 / 2_000, 0)
  assert.isBelow(chiSquared, 27.9)
  const pairs = draws.slice(1).map((draw, index) => (draw - 0.5) * ((draws[index] ?? 0) - 0.5))
  assert.isBelow(Math.abs(pairs.reduce((sum, product) => sum + product, 0) / pairs.length) * 12, 0.03)
})

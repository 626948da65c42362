import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type Entry, WaitQueue } from "../src/internal/WaitQueue.ts"

const drain = <A>(queue: WaitQueue<A>): ReadonlyArray<A> => {
  const values: Array<A> = []
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) values.push(entry.value)
  return values
}

describe("WaitQueue", () => {
  it("gives out the lowest rank first, and by arrival within a rank", () => {
    const queue = new WaitQueue<string>()
    queue.add("c1", 3)
    queue.add("a1", 1)
    queue.add("c2", 3)
    queue.add("a2", 1)
    queue.add("b", 2)
    queue.add("a3", 1)
    assert.strictEqual(queue.size, 6)
    assert.strictEqual(queue.peek()?.value, "a1")
    assert.strictEqual(queue.last()?.value, "c2")
    assert.deepStrictEqual(drain(queue), ["a1", "a2", "a3", "b", "c1", "c2"])
    assert.strictEqual(queue.size, 0)
    assert.isUndefined(queue.peek())
    assert.isUndefined(queue.last())
  })

  it("removes from anywhere, once", () => {
    const queue = new WaitQueue<number>()
    const entries = Array.from({ length: 20 }, (_, n) => queue.add(n, (n * 7) % 20))
    const [first, , third] = entries
    assert.isTrue(first !== undefined && queue.remove(first))
    assert.isFalse(first !== undefined && queue.remove(first))
    assert.isTrue(third !== undefined && queue.remove(third))
    assert.strictEqual(queue.size, 18)
    const shifted = queue.shift()
    assert.isFalse(shifted !== undefined && queue.remove(shifted))
  })

  it("does not take out another's entry", () => {
    const [one, other] = [new WaitQueue<string>(), new WaitQueue<string>()]
    one.add("one", 1)
    assert.isFalse(one.remove(other.add("other", 1)))
    assert.strictEqual(one.size, 1)
  })

  it.effect("agrees with a sorted list under random use", () =>
    Effect.gen(function*() {
      const queue = new WaitQueue<number>()
      let model: Array<Entry<number>> = []
      const sorted = () =>
        model.map((entry, arrival) => ({ entry, arrival })).sort((left, right) =>
          left.entry.rank - right.entry.rank || left.arrival - right.arrival
        ).map(({ entry }) => entry)

      for (let step = 0; step < 20_000; step++) {
        const choice = yield* Random.nextIntBetween(0, 10)
        if (choice < 5) {
          model.push(queue.add(step, yield* Random.nextIntBetween(0, 8)))
        } else if (choice < 8) {
          const index = yield* Random.nextIntBetween(0, Math.max(1, model.length))
          const entry = model[index]
          if (entry !== undefined) {
            assert.isTrue(queue.remove(entry))
            model = model.filter((other) => other !== entry)
            assert.isFalse(queue.remove(entry))
          }
        } else {
          const expected = sorted()[0]
          assert.strictEqual(queue.peek(), expected)
          assert.strictEqual(queue.last(), sorted().at(-1))
          assert.strictEqual(queue.shift(), expected)
          model = model.filter((other) => other !== expected)
        }
        assert.strictEqual(queue.size, model.length)
        if (model.length > 60) {
          assert.deepStrictEqual(drain(queue), sorted().map(({ value }) => value))
          model = []
        }
      }
    }).pipe(Random.withSeed("wait queue")))
})

import { assert, describe, it } from "@effect/vitest"
import { KeyedPools } from "../src/internal/concurrency/KeyedPools.ts"

class TestPool {
  isIdle = true
  private readonly onIdle: () => void

  constructor(onIdle: () => void) {
    this.onIdle = onIdle
  }

  becomeIdle(): void {
    this.isIdle = true
    this.onIdle()
  }
}

const make = (maxKeys: number) => new KeyedPools(maxKeys, (_, onIdle) => new TestPool(onIdle))
const keysOf = (pools: KeyedPools<TestPool>) => [...pools.map(() => true).keys()]
const use = (pools: KeyedPools<TestPool>, keys: ReadonlyArray<string>) => keys.map((key) => pools.get(key))
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `key ${n}`)

describe("KeyedPools", () => {
  it("forgets a quarter at once, those that were not used for longest, when a key is one too many", () => {
    const pools = make(8)
    use(pools, numbered(8))
    use(pools, ["key 0", "key 1"])
    use(pools, ["new"])
    assert.deepStrictEqual(keysOf(pools), ["key 0", "key 1", "key 4", "key 5", "key 6", "key 7", "new"])
  })

  it("makes no room before it has to", () => {
    const pools = make(8)
    use(pools, numbered(7))
    use(pools, ["eighth"])
    assert.strictEqual(keysOf(pools).length, 8)
  })

  it("keeps the last key with room for one", () => {
    const pools = make(1)
    use(pools, ["a", "b", "c"])
    assert.deepStrictEqual(keysOf(pools), ["c"])
  })

  it("keeps more keys than it may while they are busy, and each goes when it is idle", () => {
    const pools = make(4)
    const busy = numbered(7).map((key) => {
      const pool = pools.get(key)
      pool.isIdle = false
      return pool
    })
    assert.strictEqual(keysOf(pools).length, 7)
    for (const pool of busy) pool.becomeIdle()
    assert.deepStrictEqual(keysOf(pools), ["key 3", "key 4", "key 5", "key 6"])
  })

  it("after a sweep in vain looks again only when a quarter more have come", () => {
    const pools = make(8)
    const busy = use(pools, numbered(8))
    let looks = 0
    for (const pool of busy) {
      Object.defineProperty(pool, "isIdle", {
        get: () => {
          looks += 1
          return false
        }
      })
    }
    use(pools, ["a", "b", "c"])
    // At the first new key and at the third.
    assert.strictEqual(looks, 2 * busy.length)
  })
})

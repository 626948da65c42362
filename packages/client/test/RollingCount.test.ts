import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { RollingCount } from "../src/internal/alerts/RollingCount.ts"

const windowMillis = 60_000
const bucketMillis = 1000

const Step = Schema.Struct({
  after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 90_000 })),
  failed: Schema.Boolean
})

describe("RollingCount", () => {
  it.prop("agrees with counting what lies in the window", [Schema.Array(Step)], ([steps]) => {
    const rolling = new RollingCount(windowMillis)
    const happened: Array<{ readonly at: number; readonly failed: boolean }> = []
    let now = 12_345
    for (const { after, failed } of steps) {
      now += after
      rolling.add(now, failed)
      happened.push({ at: now, failed })
      // The window moves on by whole buckets.
      const begin = (Math.floor(now / bucketMillis) + 1) * bucketMillis - windowMillis
      const inside = happened.filter(({ at }) => at >= begin)
      assert.strictEqual(rolling.total, inside.length)
      assert.strictEqual(rolling.failed, inside.filter((each) => each.failed).length)
    }
  }, { arbitrary: { runs: 500, seed: 7 } })
})

import { assert, describe, it } from "@effect/vitest"
import { Pause } from "../src/internal/limiter/Pause.ts"

const drawing = (value: number) => ({ nextDoubleUnsafe: () => value, nextIntUnsafe: () => 0 })

describe("Pause", () => {
  it("lets nobody start before it ends, and everybody after the while that follows", () => {
    const pause = new Pause()
    assert.isTrue(pause.isOver(0))
    assert.strictEqual(pause.waitFor(5, 0, drawing(0.5)), 0)
    assert.isTrue(pause.extend(1000, 200, 100))
    assert.deepStrictEqual([1000, 1150, 1199, 1200, 1250].map((now) => pause.left(now)), [200, 50, 1, 0, 0])
    assert.deepStrictEqual([1199, 1200, 1299, 1300].map((now) => pause.isOver(now)), [false, false, false, true])
    assert.strictEqual(pause.waitFor(1, 1050, drawing(0.5)), 150)
    assert.strictEqual(pause.waitFor(1, 1300, drawing(0)), 0)
  })

  it("is not shortened by one that would end earlier, or at the same time", () => {
    const pause = new Pause()
    pause.extend(0, 100, 50)
    assert.isFalse(pause.extend(10, 90, 500))
    assert.isFalse(pause.extend(10, 20, 500))
    assert.strictEqual(pause.left(0), 100)
    assert.isTrue(pause.isOver(150))
    // A later and shorter one does not push those together who are still being let go.
    assert.isTrue(pause.extend(110, 1, 0))
    assert.strictEqual(pause.left(110), 1)
    assert.isFalse(pause.isOver(149))
    assert.isTrue(pause.isOver(150))
  })

  it("draws the start of the next once, as the earliest of as many as wait", () => {
    const pause = new Pause()
    pause.extend(0, 100, 80)
    // The earliest of two uniform times: 1 - sqrt(1/4) of what is left.
    assert.strictEqual(pause.waitFor(2, 100, drawing(0.25)), 40)
    assert.strictEqual(pause.waitFor(2, 110, drawing(0.9)), 30)
    assert.strictEqual(pause.waitFor(2, 150, drawing(0.9)), 0)
    pause.started()
    assert.strictEqual(pause.waitFor(1, 160, drawing(0.5)), 10)
    pause.started()
    // Nobody counts as one.
    assert.strictEqual(pause.waitFor(0, 160, drawing(0.5)), 10)
    pause.extend(165, 15, 20)
    assert.strictEqual(pause.waitFor(1, 180, drawing(0.5)), 10)
  })

  it("estimates when the last of those who wait may start", () => {
    const pause = new Pause()
    assert.strictEqual(pause.estimate(3, 0), 0)
    pause.extend(0, 100, 80)
    assert.strictEqual(pause.estimate(3, 20), 140)
    assert.strictEqual(pause.estimate(1, 120), 30)
    assert.strictEqual(pause.estimate(3, 180), 0)
  })
})

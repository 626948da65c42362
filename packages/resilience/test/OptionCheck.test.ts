import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"

const refusal = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    assert.instanceOf(error, RangeError)
    return error.message
  }
  return "taken"
}

describe("OptionCheck", () => {
  it("takes a duration in each form, within its bounds", () => {
    const check = (value: Duration.Input, bounds?: Parameters<typeof OptionCheck.duration>[3]) =>
      OptionCheck.duration("Owner", "wait", value, bounds)
    assert.deepStrictEqual(check("2 seconds"), Duration.seconds(2))
    assert.deepStrictEqual(check({ seconds: 2, milliseconds: 5 }), Duration.millis(2005))
    assert.deepStrictEqual(check(0), Duration.zero)
    assert.deepStrictEqual(check(1, { positive: true }), Duration.millis(1))
    assert.deepStrictEqual(check("Infinity", { infinite: true }), Duration.infinity)
    assert.deepStrictEqual(check("Infinity", { infinite: true, positive: true }), Duration.infinity)
  })

  it("refuses other durations, and says what it wants and what it got", () => {
    const refused = (value: unknown, bounds?: Parameters<typeof OptionCheck.duration>[3]) =>
      refusal(() => OptionCheck.duration("Owner", "wait", value as Duration.Input, bounds))
    const finite = `Owner: option "wait" must be a finite duration of zero or more, got`
    assert.strictEqual(refused(-1), `${finite} -1`)
    assert.strictEqual(refused(Number.NaN), `${finite} NaN`)
    assert.strictEqual(refused({ seconds: Number.NaN, milliseconds: 1 }), `${finite} {"seconds":null,"milliseconds":1}`)
    assert.strictEqual(refused("soon"), `${finite} "soon"`)
    assert.strictEqual(refused(null), `${finite} null`)
    assert.strictEqual(refused(Duration.infinity), `${finite} Infinity`)
    assert.strictEqual(refused(Duration.seconds(-3)), `${finite} -3s`)
    assert.strictEqual(
      refused(0, { positive: true }),
      `Owner: option "wait" must be a finite duration longer than zero, got 0`
    )
    assert.strictEqual(
      refused(-1, { infinite: true }),
      `Owner: option "wait" must be a duration of zero or more, got -1`
    )
    assert.strictEqual(
      refused(0, { infinite: true, positive: true }),
      `Owner: option "wait" must be a duration longer than zero, got 0`
    )
  })

  it("takes numbers up to and including their bounds", () => {
    const number = (value: number, maximum?: number) =>
      refusal(() => OptionCheck.number("Owner", "share", value, 1, maximum))
    for (const value of [1, 1.5, 1e9]) assert.strictEqual(OptionCheck.number("Owner", "share", value, 1), value)
    assert.strictEqual(OptionCheck.number("Owner", "share", 2, 1, 2), 2)
    const atLeast = `Owner: option "share" must be a finite number of at least 1, got`
    assert.strictEqual(number(0.5), `${atLeast} 0.5`)
    assert.strictEqual(number(Number.NaN), `${atLeast} NaN`)
    assert.strictEqual(number(Number.POSITIVE_INFINITY), `${atLeast} Infinity`)
    assert.strictEqual(number(2.5, 2), `Owner: option "share" must be a number from 1 to 2, got 2.5`)
  })

  it("takes whole attempts, at least one of them, or no limit", () => {
    for (const value of [1, 7, Number.POSITIVE_INFINITY]) {
      assert.strictEqual(OptionCheck.attempts("Owner", "attempts", value), value)
    }
    for (const value of [0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      assert.strictEqual(
        refusal(() => OptionCheck.attempts("Owner", "attempts", value)),
        `Owner: option "attempts" must be a whole number of at least 1, or Infinity, got ${value}`
      )
    }
  })
})

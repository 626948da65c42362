import * as Hedge from "@effect-claude/resilience/Hedge"
import type * as Verdict from "@effect-claude/resilience/Verdict"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class DbError extends Data.TaggedError("DbError")<{ readonly sqlState: string }> {}

declare const effect: Effect.Effect<string, DbError, "Database">
declare const stream: Stream.Stream<string, DbError, "Database">
declare const classify: (error: DbError) => Verdict.Verdict

const { hedge, hedgeStream } = Hedge.makeUnsafe({ delay: "1 second" })

describe("Hedge", () => {
  test("adds no error: a hedge that may not start is no failure", () => {
    expect(hedge(effect)).type.toBe<typeof effect>()
    expect(hedge(effect, { classify, key: "orders" })).type.toBe<typeof effect>()
    expect(effect.pipe(hedge())).type.toBe<typeof effect>()
    expect(effect.pipe(hedge({ classify }))).type.toBe<typeof effect>()
    expect(hedgeStream(stream, { isEvent: (element) => element !== "ping" })).type.toBe<typeof stream>()
    expect(stream.pipe(hedgeStream())).type.toBe<typeof stream>()
    expect(stream.pipe(hedgeStream({ isTransparent: (element: string) => element === "ping" }))).type.toBe<
      typeof stream
    >()
  })

  test("refuses to classify another error than the effect's", () => {
    expect(hedge).type.not.toBeCallableWith(effect, { classify: (error: Error & { code: string }) => error })
  })
})

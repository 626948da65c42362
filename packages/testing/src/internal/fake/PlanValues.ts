import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"

const durationForm = "a number of milliseconds, not negative and finite, or a string such as \"2 seconds\""

const isDurationInput = (input: unknown): input is Duration.Input =>
  ["number", "string", "bigint"].includes(typeof input) || (typeof input === "object" && input !== null)

/** A time as plans have it. */
export const Time = Schema.declare(isDurationInput, { expected: durationForm }).pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transformEffect<Duration.Duration, Duration.Input>({
      decode: (input, options) => {
        // `NaN` would become a duration of zero.
        const duration = Number.isNaN(input) ? Option.none() : Duration.fromInput(input)
        return Option.isSome(duration) && Duration.isFinite(duration.value) && !Duration.isNegative(duration.value)
          ? Effect.succeed(duration.value)
          : Effect.fail(new SchemaIssue.InvalidValue({ expected: durationForm }, input, options))
      },
      encode: (duration) => Effect.succeed(Duration.toMillis(duration))
    })
  )
)

const int = (minimum: number) =>
  Schema.Finite.check(
    Schema.makeFilter((n) => Number.isSafeInteger(n) && n >= minimum, {
      expected: `a whole number from ${minimum} up`,
      toJsonSchema: () => ({ type: "integer", minimum })
    })
  )
export const Count = int(0)
export const Positive = int(1)

export const PositiveTime = Time.check(
  Schema.makeFilter((time) => Duration.isGreaterThan(time, Duration.zero), {
    expected: "a time above zero",
    toJsonSchema: () => ({ not: { enum: [0] } })
  })
)

export const Share = Schema.Finite.check(
  Schema.makeFilter((n) => n > 0 && n <= 1, {
    expected: "a number above 0, at most 1",
    toJsonSchema: () => ({ exclusiveMinimum: 0, maximum: 1 })
  })
)

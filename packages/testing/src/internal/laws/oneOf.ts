import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

/** One of these, each as likely as often as it is named. A case that breaks a law is made smaller towards the first. */
export const oneOf = <const Values extends readonly [unknown, ...ReadonlyArray<unknown>]>(
  ...values: Values
): Arbitrary.Arbitrary<Values[number]> =>
  Arbitrary.map(
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: values.length - 1 }))),
    (index): Values[number] => values[index]
  )

import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { type Broken, Case, settle } from "./Case.ts"
import { LawViolation } from "./LawViolation.ts"

/**
 * How many cases of a law are tried, and which.
 *
 * **Details**
 *
 * - `cases`: how many; 100. They begin small and grow.
 * - `seed`: the same seed tries the same cases; `"law"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface CheckOptions {
  readonly cases?: number | undefined
  readonly seed?: string | undefined
}

/**
 * What was tried of a law that held. `seen` counts what the cases were about, such as retries or probes, so that one can see that
 * they were about something.
 *
 * @category models
 * @since 0.1.0
 */
export interface LawReport {
  readonly law: string
  readonly cases: number
  readonly seen: Readonly<Record<string, number>>
}

export interface Law<Input> {
  readonly name: string
  readonly input: Arbitrary.Arbitrary<Input>
  readonly run: (input: Input, trial: Case) => Effect.Effect<void, Broken, Scope.Scope>
  /** What has to be seen at least once in all cases, or the policy was not tried: a promise in words for each. */
  readonly mustSee: Readonly<Record<string, string>>
}

interface Violation {
  readonly promise: string
  readonly story: ReadonlyArray<string>
}

const owner = (law: string) => `PolicyLaws.${law}`

/** As `Effect.scoped`, but whatever the policy holds on to for ever is left to itself: a case has to end to be told. */
const scopedWithin = <A, E>(self: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.provide(self, scope))
    const closing = yield* Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true })
    if (closing.pollUnsafe() === undefined) yield* settle
    if (closing.pollUnsafe() === undefined) yield* TestClock.adjust(longest)
    return yield* exit
  })

/** What goes on for longer does not end. */
const longest = "60 days"

/** Tries a law on random cases under virtual time, and tells of the smallest case in which it does not hold. */
export const check = <Input>(
  law: Law<Input>,
  options: CheckOptions
): Effect.Effect<LawReport, LawViolation> => {
  const cases = OptionCheck.number(owner(law.name), "cases", options.cases ?? 100, 1)
  if (!Number.isSafeInteger(cases)) throw OptionCheck.refuse(owner(law.name), "cases", "a whole number", cases)
  const seed = options.seed ?? "law"

  return Effect.suspend(() => {
    const seen = new Map<string, number>()
    const holds = (input: Input): Effect.Effect<boolean, Violation> =>
      Effect.suspend(() => {
        const trial = new Case(seen)
        return scopedWithin(law.run(input, trial)).pipe(
          Effect.mapError(({ promise }): Violation => ({ promise, story: trial.story })),
          Effect.as(true),
          // The same case has to go the same way each time, or it could not be made smaller.
          Random.withSeed(seed),
          Effect.provide(TestClock.layer())
        )
      })
    const violation = (broken: Violation, runs: number) =>
      new LawViolation({ law: law.name, promise: broken.promise, story: broken.story, seed, cases: runs })

    return Effect.flatMap(
      Arbitrary.checkEffect(law.input, holds, { runs: cases, seed, size: 100, maxShrinks: 1000 }),
      (result): Effect.Effect<LawReport, LawViolation> => {
        switch (result._tag) {
          case "Passed": {
            const unseen = Object.keys(law.mustSee).find((what) => !seen.has(what))
            return unseen === undefined
              ? Effect.succeed({ law: law.name, cases, seen: Object.fromEntries(seen) })
              : Effect.fail(violation({ promise: law.mustSee[unseen] ?? unseen, story: [] }, cases))
          }
          case "Falsified":
            return result.failure._tag === "PropertyError"
              ? Effect.fail(violation(result.failure.error, result.runs - 1))
              : Effect.die(new Error(`${owner(law.name)}: a case ended without a word`))
          default:
            return Effect.die(new Error(`${owner(law.name)}: no cases could be made (${result._tag})`))
        }
      }
    )
  })
}

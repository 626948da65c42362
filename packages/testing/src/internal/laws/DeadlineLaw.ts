import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/testing/TestClock"
import { tolerance } from "./Case.ts"
import { ask, interrupt } from "./GatedCall.ts"
import type { Law } from "./Law.ts"
import { oneOf } from "./oneOf.ts"
import * as Subject from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

interface Promises {
  readonly limit: number
}

const inputArbitrary = Arbitrary.all({
  waits: oneOf(0, 1, 100),
  // 0.999 and 1.001 are on both sides of the limit; a call that ends at the limit may go either way.
  takes: oneOf(0, 0.3, 0.999, 1.001, 2, "forever"),
  trouble: oneOf("none", "none", "none", "none", ...Trouble.retryable, ...Trouble.final),
  interruptAt: oneOf("never", "never", "never", 0, 0.5)
})

type Input = typeof inputArbitrary extends Arbitrary.Arbitrary<infer A> ? A : never

export const make = <E, E2>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  { limit }: Promises
): Law<Input> => ({
  name: "deadline",
  input: inputArbitrary,
  mustSee: { cuts: "no call was cut, so the policy that was given has no deadline" },
  run: (input, trial) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      // Another moment to begin at than the one that the policy was made at.
      yield* TestClock.adjust(input.waits)
      const { takes, trouble } = input
      const work = Effect.gen(function*() {
        yield* takes === "forever" ? Effect.never : Effect.sleep(takes * limit)
        return yield* trouble === "none" ? Effect.succeed("answer") : Effect.fail(Trouble.make(trouble))
      })
      const call = yield* ask(policy, "the call", trial, work)
      if (typeof input.interruptAt === "number") {
        yield* TestClock.adjust(input.interruptAt * limit)
        yield* interrupt(call, trial)
        return
      }
      yield* TestClock.adjust(limit + tolerance)
      yield* trial.promise(call.exit !== undefined, `the call has not ended after ${limit} ms`)
      yield* trial.promise(!call.running, "the call that was given up runs on")
      const { exit } = call
      if (exit === undefined) return
      if (takes === "forever" || takes > 1) {
        trial.see("cuts")
        return
      }
      // A call that failed, or that was cut by a timeout of its own, may be tried again within the deadline.
      if (call.starts > 1 || call.succeededAt === undefined) return
      yield* trial.promise(Exit.isSuccess(exit), `the call succeeds after ${takes * limit} ms, in time, and is failed`)
      yield* trial.promise(
        (call.endedAt ?? 0) <= call.succeededAt + tolerance,
        `the answer is there after ${takes * limit} ms, and is given later`
      )
    })
})

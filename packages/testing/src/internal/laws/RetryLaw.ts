import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import { type Case, pass, tolerance } from "./Case.ts"
import type { Law } from "./Law.ts"
import { oneOf } from "./oneOf.ts"
import * as Subject from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

interface Promises {
  readonly attempts: number
  readonly counted: Effect.Effect<number> | undefined
}

const step = Arbitrary.all({
  // Those that are retried come more often, or few cases would see a second attempt.
  trouble: oneOf(...Trouble.retryable, ...Trouble.retryable, ...Trouble.final),
  after: oneOf(0, 0, 50, 3000, 45_000),
  takes: oneOf(0, 200, 20_000)
})

const never = "never"

const inputOf = (attempts: number) =>
  Arbitrary.all({
    failures: Arbitrary.array(step, {
      maxLength: Number.isFinite(attempts) ? Math.min(attempts + 2, 12) : 8
    }),
    interruptAt: oneOf(never, never, never, never, never, never, 0, 100, 700, 5000, 21_000, 60_000),
    jitter: oneOf(1, 2, 3, 4, 5)
  })

type Input = typeof inputOf extends (attempts: number) => Arbitrary.Arbitrary<infer A> ? A : never

interface Attempt {
  readonly number: number
  readonly at: number
  endedAt: number | undefined
  after: number
  end: "running" | "succeeded" | "retryable" | "final" | "interrupted"
}

const longEnough = "60 days"

const playAttempt = (input: Input, attempts: Array<Attempt>, promises: Promises, trial: Case) =>
  Effect.gen(function*() {
    const index = attempts.length
    const attempt: Attempt = {
      number: yield* CurrentAttempt,
      at: yield* Clock.currentTimeMillis,
      endedAt: undefined,
      after: 0,
      end: "running"
    }
    attempts.push(attempt)
    yield* trial.tell(`attempt ${index + 1} starts`)
    // What repeats without end is stopped here: it has shown what it does.
    if (index > input.failures.length + Math.min(promises.attempts, 100)) return yield* Effect.never
    const step = input.failures[index]
    if (step === undefined) {
      attempt.end = "succeeded"
      attempt.endedAt = attempt.at
      yield* trial.tell(`attempt ${index + 1} succeeds`)
      return "answer"
    }
    const error = Trouble.make(step.trouble, step.after)
    if (step.takes > 0) yield* Effect.sleep(step.takes)
    attempt.endedAt = yield* Clock.currentTimeMillis
    attempt.after = Trouble.askedWait(error)
    attempt.end = error.verdict._tag === "Stop" ? "final" : "retryable"
    const asks = attempt.after > 0 ? `, which asks for a wait of ${attempt.after} ms` : ""
    yield* trial.tell(`attempt ${index + 1} fails with ${step.trouble}${asks}`)
    return yield* Effect.fail(error)
  }).pipe(
    // A timeout of its own may cut an attempt, and then another one follows.
    Effect.onInterrupt(() =>
      Effect.gen(function*() {
        const attempt = attempts.findLast(({ end }) => end === "running")
        if (attempt !== undefined) {
          attempt.end = "interrupted"
          attempt.endedAt = yield* Clock.currentTimeMillis
        }
        yield* trial.tell("the attempt is interrupted")
      })
    )
  )

const checkAttempts = (attempts: ReadonlyArray<Attempt>, promises: Promises, trial: Case) =>
  Effect.gen(function*() {
    const { attempts: most } = promises
    yield* trial.promise(attempts.length <= most, `more than ${most} attempts are made`)
    for (const [index, attempt] of attempts.entries()) {
      const previous = attempts[index - 1]
      if (previous === undefined) continue
      const name = `attempt ${index + 1}`
      yield* trial.promise(previous.end !== "final", `${name} follows a failure that says to stop`)
      yield* trial.promise(previous.end !== "succeeded", `${name} follows one that succeeded`)
      yield* trial.promise(previous.endedAt !== undefined, `${name} starts while another one runs`)
      const wait = attempt.at - (previous.endedAt ?? attempt.at)
      yield* trial.promise(
        wait + tolerance >= previous.after,
        `${name} comes ${wait} ms after a failure that asked for ${previous.after} ms`
      )
    }
    const numbered = attempts.every(({ number }, index) => number === index + 1)
    const notNumbered = attempts.every(({ number }) => number === 1)
    yield* trial.promise(numbered || notNumbered, "CurrentAttempt does not count the attempts from 1")
  })

export const make = <E, E2>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  promises: Promises
): Law<Input> => ({
  name: "retry",
  input: inputOf(promises.attempts),
  mustSee: promises.attempts > 1
    ? { retries: "no case made a second attempt, so the policy that was given retries nothing" }
    : {},
  run: (input, trial) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      for (let i = 0; i < input.jitter; i++) yield* Random.next
      const attempts: Array<Attempt> = []
      const counted = promises.counted ?? Effect.succeed(0)
      const before = yield* counted
      let announced = 0
      const fiber = yield* policy(playAttempt(input, attempts, promises, trial)).pipe(
        ResilienceEvent.listen((event) => {
          if (event._tag === "RetryScheduled") announced += 1
        }),
        Effect.forkScoped({ startImmediately: true })
      )
      let interruptedWhileWaiting = 0
      if (typeof input.interruptAt === "number") {
        yield* TestClock.adjust(input.interruptAt)
        if (fiber.pollUnsafe() === undefined) {
          const made = attempts.length
          if (attempts.at(-1)?.end !== "running") interruptedWhileWaiting = 1
          yield* trial.tell("the caller interrupts")
          fiber.interruptUnsafe()
          yield* pass(1)
          const endsAtOnce = fiber.pollUnsafe() !== undefined
          yield* TestClock.adjust(longEnough)
          trial.see("interrupts")
          yield* trial.promise(attempts.length === made, "an interrupt does not stop it: another attempt starts")
          yield* trial.promise(
            attempts.every(({ end }) => end !== "running"),
            "an interrupt does not stop it: the attempt runs on"
          )
          yield* trial.promise(endsAtOnce, "an interrupt does not stop it: it goes on waiting")
        }
      }
      yield* TestClock.adjust(longEnough)
      yield* checkAttempts(attempts, promises, trial)
      yield* trial.promise(fiber.pollUnsafe() !== undefined, "the call does not end within 60 days")
      const exit = yield* Fiber.await(fiber)
      if (attempts.at(-1)?.end === "succeeded") {
        yield* trial.promise(Exit.isSuccess(exit), "an attempt succeeds and the call does not")
      } else {
        yield* trial.promise(Exit.isFailure(exit), "no attempt succeeds and the call does")
      }
      const retries = Math.max(0, attempts.length - 1)
      trial.see("attempts", attempts.length)
      if (retries > 0) trial.see("retries", retries)
      yield* trial.promise(
        announced <= retries + interruptedWhileWaiting,
        `retries announced (RetryScheduled): ${announced}, made: ${retries}`
      )
      const count = (yield* counted) - before
      yield* trial.promise(count <= retries + interruptedWhileWaiting, `retries counted: ${count}, made: ${retries}`)
    })
})

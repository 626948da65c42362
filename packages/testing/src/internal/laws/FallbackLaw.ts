import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as Arbitrary from "effect/Arbitrary"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Case } from "./Case.ts"
import type { Law } from "./Law.ts"
import { oneOf } from "./oneOf.ts"
import * as Subject from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

/**
 * One that can be asked: its name, and the call.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackTarget {
  readonly name: string
  readonly effect: Effect.Effect<string, ClaudeError>
}

/**
 * A fallback as its law sees it: asks targets in their order, and says who answered.
 *
 * @category models
 * @since 0.1.0
 */
export type FallbackPolicy<E = unknown> = (
  targets: NonEmptyReadonlyArray<FallbackTarget>
) => Effect.Effect<{ readonly source: string }, E>

interface Promises {
  readonly fallsThrough: (error: ClaudeError) => boolean
}

export const targetNames = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"] as const

const step = Arbitrary.all({
  // Final ones are fewer, or few cases would reach the second target.
  trouble: oneOf("none", "none", ...Trouble.retryable, ...Trouble.final),
  takes: oneOf(0, 100)
})

type Step = typeof step extends Arbitrary.Arbitrary<infer A> ? A : never

const inputArbitrary = Arbitrary.all({
  steps: Arbitrary.all([step, step, step]),
  interruptAt: oneOf("never", "never", "never", 50, 150)
})

type Input = typeof inputArbitrary extends Arbitrary.Arbitrary<infer A> ? A : never

interface Asked {
  readonly name: string
  end: "running" | "answered" | "interrupted" | ClaudeError
}

const targetOf = (name: string, step: Step, asked: Array<Asked>, trial: Case): FallbackTarget => ({
  name,
  effect: Effect.gen(function*() {
    const self: Asked = { name, end: "running" }
    asked.push(self)
    yield* trial.tell(`${name} is asked`)
    // One that is asked without end is held here: it has shown what it does.
    if (asked.length > 20) return yield* Effect.never
    if (step.takes > 0) yield* Effect.sleep(step.takes)
    if (step.trouble !== "none") {
      const error = Trouble.make(step.trouble)
      self.end = error
      yield* trial.tell(`${name} fails with ${step.trouble}`)
      return yield* Effect.fail(error)
    }
    self.end = "answered"
    yield* trial.tell(`${name} answers`)
    return `the answer of ${name}`
  }).pipe(Effect.onInterrupt(() =>
    Effect.suspend(() => {
      const last = asked.findLast((other) => other.name === name)
      if (last?.end === "running") last.end = "interrupted"
      return trial.tell(`${name} is interrupted`)
    })
  ))
})

const checkOrder = (asked: ReadonlyArray<Asked>, promises: Promises, trial: Case) =>
  Effect.gen(function*() {
    for (const [index, { name }] of asked.entries()) {
      const previous = asked[index - 1]
      yield* trial.promise(asked.findIndex((other) => other.name === name) === index, `${name} is asked twice`)
      if (previous === undefined) continue
      yield* trial.promise(previous.end !== "answered", `${name} is asked, though ${previous.name} answered`)
      yield* trial.promise(previous.end !== "running", `${name} is asked while ${previous.name} is`)
      if (typeof previous.end !== "object") continue
      yield* trial.promise(
        promises.fallsThrough(previous.end),
        `${name} is asked, though ${previous.name} failed with ${previous.end._tag}`
      )
    }
    const order = targetNames.filter((name) => asked.some((other) => other.name === name))
    yield* trial.promise(
      asked.every(({ name }, index) => name === order[index]),
      `the targets are not asked in their order: ${asked.map(({ name }) => name).join(", ")}`
    )
  })

export const make = <E, E2>(
  subject: Subject.Subject<FallbackPolicy<E>, E2>,
  promises: Promises
): Law<Input> => ({
  name: "fallback",
  input: inputArbitrary,
  mustSee: { switches: "no second target was ever asked, so the policy that was given falls back on nothing" },
  run: (input, trial) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      const asked: Array<Asked> = []
      const target = (index: 0 | 1 | 2) => targetOf(targetNames[index], input.steps[index], asked, trial)
      const fiber = yield* Effect.forkScoped(policy([target(0), target(1), target(2)]), { startImmediately: true })
      if (typeof input.interruptAt === "number") {
        yield* TestClock.adjust(input.interruptAt)
        if (fiber.pollUnsafe() === undefined) {
          const made = asked.length
          yield* trial.tell("the caller interrupts")
          fiber.interruptUnsafe()
          yield* TestClock.adjust("1 day")
          yield* trial.promise(asked.length === made, "an interrupt does not stop it: another target is asked")
          yield* trial.promise(
            asked.every(({ end }) => end !== "running"),
            "an interrupt does not stop it: the target is still asked"
          )
        }
      }
      yield* TestClock.adjust("1 day")
      if (asked.length > 1) trial.see("switches", asked.length - 1)
      yield* checkOrder(asked, promises, trial)
      yield* trial.promise(fiber.pollUnsafe() !== undefined, "the call does not end within a day")
      const exit = yield* Fiber.await(fiber)
      const last = asked.at(-1)
      if (Exit.isFailure(exit)) {
        return yield* trial.promise(last?.end !== "answered", `${last?.name ?? ""} answers, and the call fails`)
      }
      trial.see("answers")
      const { source } = exit.value
      yield* trial.tell(`the answer comes from ${source}`)
      if (last?.end === "answered") {
        yield* trial.promise(source === last.name, `${last.name} answers, and the source is said to be ${source}`)
      } else if (typeof last?.end === "object") {
        yield* trial.promise(
          promises.fallsThrough(last.end),
          `there is an answer (of ${source}), though ${last.name} failed with ${last.end._tag}`
        )
      }
    })
})

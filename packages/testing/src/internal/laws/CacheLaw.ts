import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type Case, tolerance } from "./Case.ts"
import type { Law } from "./Law.ts"
import { oneOf } from "./oneOf.ts"
import * as Subject from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

/**
 * A cache as its law sees it: what it makes of a call, by a key that is the same for calls that may have the same answer.
 *
 * @category models
 * @since 0.1.0
 */
export type KeyedPolicy<E = unknown> = (
  key: string,
  call: Effect.Effect<string, ClaudeError>
) => Effect.Effect<unknown, E>

interface Promises {
  /** In milliseconds. */
  readonly maxAge: number
}

const askArbitrary = Arbitrary.all({
  key: oneOf("a", "b", "c"),
  after: oneOf(0, 0, 10, 30_000, 3_600_000, 100_000_000),
  takes: oneOf(0, 50),
  trouble: oneOf("none", "none", "none", "OverloadedError", "ConnectionError", "InvalidRequestError")
})

type Ask = typeof askArbitrary extends Arbitrary.Arbitrary<infer A> ? A : never

interface Answer {
  readonly text: string
  readonly key: string
  readonly at: number
}

const askOnce = <E>(
  policy: KeyedPolicy<E>,
  ask: Ask,
  name: string,
  answers: Array<Answer>,
  promises: Promises,
  trial: Case
) =>
  Effect.gen(function*() {
    let own: "success" | "failure" | undefined
    const call = Effect.gen(function*() {
      yield* trial.tell(`${name} is sent`)
      if (ask.takes > 0) yield* Effect.sleep(ask.takes)
      if (ask.trouble !== "none") {
        own = "failure"
        yield* trial.tell(`${name} fails with ${ask.trouble}`)
        return yield* Effect.fail(Trouble.make(ask.trouble))
      }
      own = "success"
      const text = `the answer of ${name}`
      answers.push({ text, key: ask.key, at: yield* Clock.currentTimeMillis })
      yield* trial.tell(`${name} is answered`)
      return text
    })
    yield* trial.tell(`${name} asks for "${ask.key}"`)
    const askedAt = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(policy(ask.key, call))
    if (Exit.isFailure(exit)) {
      yield* trial.promise(own !== "success", `${name} was answered, and fails`)
      return
    }
    const given = answers.find(({ text }) => text === exit.value)
    yield* trial.tell(`${name} is given ${given === undefined ? "what nobody answered" : given.text}`)
    if (given === undefined) return yield* trial.promise(false, `${name} is given what nobody answered`)
    yield* trial.promise(
      given.key === ask.key,
      `${name} asks for "${ask.key}" and is given the answer to "${given.key}"`
    )
    const age = askedAt - given.at
    yield* trial.promise(
      age <= promises.maxAge + tolerance,
      `${name} is given an answer that is ${age} ms old, and ${promises.maxAge} ms is the most`
    )
    if (own !== "success") trial.see("hits")
  })

export const make = <E, E2>(
  subject: Subject.Subject<KeyedPolicy<E>, E2>,
  promises: Promises
): Law<{ readonly asks: ReadonlyArray<Ask> }> => ({
  name: "cache",
  input: Arbitrary.all({ asks: Arbitrary.array(askArbitrary, { maxLength: 16 }) }),
  mustSee: { hits: "no call was answered from the cache, so the policy that was given remembers nothing" },
  run: ({ asks }, trial) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      const answers: Array<Answer> = []
      const fibers = []
      for (const [index, ask] of asks.entries()) {
        yield* TestClock.adjust(ask.after)
        fibers.push(
          yield* askOnce(policy, ask, `call ${index + 1}`, answers, promises, trial).pipe(
            Effect.forkScoped({ startImmediately: true })
          )
        )
      }
      yield* TestClock.adjust("1 minute")
      for (const [index, fiber] of fibers.entries()) {
        yield* trial.promise(fiber.pollUnsafe() !== undefined, `call ${index + 1} does not end`)
        yield* Fiber.join(fiber)
      }
    })
})

/**
 * Assertions on what a pipeline is made of and on what it did: its policies, attempts, waits, models, requests saved.
 *
 * **When to use**
 *
 * In any test runner, inside of the effect that is tested, wherever the `ClaudeService` and the `ClaudeTest` of a script are in the
 * context. `ClaudeVitest` has the same as matchers for `expect`.
 *
 * **Details**
 *
 * Each is an effect that succeeds with nothing (or with what it looked at) and dies with an `AssertionError` otherwise: no `catch`
 * of the program hides it, and runners show its `actual` and `expected`. The message ends with the timeline of what happened.
 *
 * **Example** (Testing a retry)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([
 *   Fault.rateLimit({ retryAfter: "12 seconds" }),
 *   Reply.text("hi")
 * ]).pipe(ClaudeLayer.withRetry())
 *
 * it.effect("waits as long as the server asks", () =>
 *   Effect.gen(function*() {
 *     const claude = yield* ClaudeService
 *     yield* claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     })
 *     yield* ClaudeAssert.outcomes(["RateLimitError", "Succeeded"])
 *     yield* ClaudeAssert.waits([{ server: "12 seconds" }])
 *   }).pipe(Effect.provide(Claude), VirtualTime.run))
 * ```
 *
 * @since 0.1.0
 */
import type { ClaudeErrorTag } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RecordedCall } from "./ClaudeTest.ts"
import { ClaudeTest } from "./ClaudeTest.ts"
import { AssertionError } from "./internal/assert/AssertionError.ts"
import * as Behavior from "./internal/assert/Behavior.ts"
import * as CallChecks from "./internal/assert/CallChecks.ts"
import type { Check } from "./internal/assert/Check.ts"
import { complaint, equal } from "./internal/assert/Check.ts"
import { failsWith as checkFailure } from "./internal/assert/ExitCheck.ts"
import * as PolicyChecks from "./internal/assert/PolicyChecks.ts"
import * as Timeline from "./Timeline.ts"

export type { ExpectedWait } from "./internal/assert/CallChecks.ts"
export type { ExpectedOptions } from "./internal/assert/PolicyChecks.ts"

/**
 * The name of a policy, as `ClaudeLayer.describe` gives it; those of layers of one's own are allowed too.
 *
 * @category models
 * @since 0.1.0
 */
export type PolicyName =
  | "alerts"
  | "attemptTimeout"
  | "cache"
  | "circuitBreaker"
  | "completeAnswers"
  | "concurrency"
  | "deadline"
  | "fallback"
  | "hedge"
  | "rateLimiter"
  | "retry"
  | "retryBudget"
  | "streamRecovery"
  | "telemetry"
  | "usage"
  | (string & {})

/**
 * How a request ended: the tag of the error that it failed with, or `Succeeded`, `Interrupted`, `Pending`, `Died`.
 *
 * @category models
 * @since 0.1.0
 */
export type OutcomeName = ClaudeErrorTag | "Succeeded" | "Interrupted" | "Pending" | "Died"

const reject = (check: Check): Effect.Effect<never> =>
  Effect.flatMap(
    Timeline.current,
    (timeline) => Effect.die(new AssertionError(`${complaint(check)}\n\n${timeline}`, check))
  )

const insist = (check: Check): Effect.Effect<void> => check.pass ? Effect.void : reject(check)

const onPolicies = (
  check: (policies: ReadonlyArray<ClaudeLayer.PolicyDescription>) => Check
): Effect.Effect<void, never, ClaudeService> =>
  Effect.flatMap(ClaudeLayer.describe, (described) => {
    const done = check(described)
    // What a pipeline is made of has nothing to do with what it did.
    return done.pass ? Effect.void : Effect.die(new AssertionError(complaint(done), done))
  })

const onCalls = (
  check: (calls: ReadonlyArray<RecordedCall>) => Check
): Effect.Effect<void, never, ClaudeTest> =>
  Effect.flatMap(ClaudeTest, ({ calls }) => Effect.flatMap(calls, (made) => insist(check(made))))

/**
 * The policies around the service are these and no others, outermost first.
 *
 * **Example** (Naming the policies of a pipeline)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.withRetry(), ClaudeLayer.withDeadline("2 minutes"))
 *
 * await Effect.runPromise(ClaudeAssert.policies(["deadline", "retry"]).pipe(Effect.provide(Claude)))
 * ```
 *
 * @category composition
 * @since 0.1.0
 */
export const policies = (expected: ReadonlyArray<PolicyName>): Effect.Effect<void, never, ClaudeService> =>
  onPolicies((described) => PolicyChecks.policies(described, expected))

/**
 * One of the policies around the service has this name and these options. Options that are not named may be anything; a duration
 * may be written in any form.
 *
 * **Example** (Naming the options of a policy)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.withCircuitBreaker({ failures: 5, openFor: "1 minute" }))
 *
 * await Effect.runPromise(
 *   ClaudeAssert.hasPolicy("circuitBreaker", { failures: 5, openFor: "60 seconds" }).pipe(Effect.provide(Claude))
 * )
 * ```
 *
 * @category composition
 * @since 0.1.0
 */
export const hasPolicy = (
  name: PolicyName,
  options: PolicyChecks.ExpectedOptions = {}
): Effect.Effect<void, never, ClaudeService> =>
  onPolicies((described) => PolicyChecks.hasPolicy(described, name, options))

/**
 * None of the policies around the service has this name.
 *
 * **Example** (Making sure that nothing retries)
 *
 * ```ts
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Effect from "effect/Effect"
 *
 * await Effect.runPromise(ClaudeAssert.lacksPolicy("retry").pipe(Effect.provide(ClaudeTest.script([]))))
 * ```
 *
 * @category composition
 * @since 0.1.0
 */
export const lacksPolicy = (name: PolicyName): Effect.Effect<void, never, ClaudeService> =>
  onPolicies((described) => PolicyChecks.lacksPolicy(described, name))

/**
 * The policies around the service have this order, outermost first; others may be between them.
 *
 * **Example** (Making sure that a circuit is inside of the retries)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([]).pipe(ClaudeLayer.standard())
 *
 * await Effect.runPromise(
 *   ClaudeAssert.order(["deadline", "retry", "circuitBreaker"]).pipe(Effect.provide(Claude))
 * )
 * ```
 *
 * @category composition
 * @since 0.1.0
 */
export const order = (expected: ReadonlyArray<PolicyName>): Effect.Effect<void, never, ClaudeService> =>
  onPolicies((described) => PolicyChecks.order(described, expected))

/**
 * So many requests have reached the script, of all calls together.
 *
 * **Example** (Making sure that a spend limit ends a call)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.spendLimit()]).pipe(ClaudeLayer.withRetry())
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* Effect.flip(claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   }))
 *   yield* ClaudeAssert.requests(1)
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const requests = (expected: number): Effect.Effect<void, never, ClaudeTest> =>
  onCalls((calls) => CallChecks.requests(calls, expected))

/**
 * The program made so many calls as there are numbers, each of so many attempts; one number stands for one call.
 *
 * **Details**
 *
 * A fallback's request to another model is a call of its own here, as its attempts count from 1 again. Of calls that run at the same
 * time with equal requests, which attempt belongs to which is a guess.
 *
 * **Example** (Counting attempts)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Effect from "effect/Effect"
 * import * as Schedule from "effect/Schedule"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("one"), Reply.text("two")]).pipe(
 *   ClaudeLayer.withRetry(Schedule.recurs(2))
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const ask = claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   yield* ask
 *   yield* ClaudeAssert.attempts(2)
 *   yield* ask
 *   yield* ClaudeAssert.attempts([2, 1])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const attempts = (expected: number | ReadonlyArray<number>): Effect.Effect<void, never, ClaudeTest> =>
  onCalls((calls) => CallChecks.attempts(calls, typeof expected === "number" ? [expected] : expected))

/**
 * The waits between attempts of a call, from the end of one to the beginning of the next, were these; those of several calls in
 * the order in which they ended. Needs a clock that shows them: `VirtualTime.run`, or `TestClock`.
 *
 * **Example** (Checking a backoff within its jitter)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as VirtualTime from "@effect-claude/testing/VirtualTime"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Fault.overloaded(), Reply.text("hi")]).pipe(
 *   ClaudeLayer.withRetry()
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   yield* ClaudeAssert.waits([{ base: "1 second", jitter: "full" }, { atMost: "2 seconds" }])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude), VirtualTime.run))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const waits = (
  expected: ReadonlyArray<CallChecks.ExpectedWait>
): Effect.Effect<void, never, ClaudeTest> => onCalls((calls) => CallChecks.waits(calls, expected))

/**
 * These models were asked in this order; several requests to a model in a row count as one.
 *
 * **Example** (Checking a fallback)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(
 *   ClaudeLayer.withFallback({ models: ["claude-haiku-5-5"] })
 * )
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   yield* ClaudeAssert.models(["claude-sonnet-5-5", "claude-haiku-5-5"])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const models = (expected: ReadonlyArray<string>): Effect.Effect<void, never, ClaudeTest> =>
  onCalls((calls) => CallChecks.models(calls, expected))

/**
 * The requests that reached the script ended so, in the order in which they came.
 *
 * **Example** (Checking how each request ended)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 *   yield* ClaudeAssert.outcomes(["Succeeded"])
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.script([Reply.text("hi")]))))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const outcomes = (expected: ReadonlyArray<OutcomeName>): Effect.Effect<void, never, ClaudeTest> =>
  onCalls((calls) => CallChecks.outcomes(calls, expected))

/** The same service, with its calls counted by `count`. */
const counted = (inner: ClaudeServiceShape, count: () => void): ClaudeServiceShape => ({
  ...inner,
  createMessage: (request, options) =>
    Effect.suspend(() => {
      count()
      return inner.createMessage(request, options)
    }),
  streamMessage: (request, options) =>
    Stream.suspend(() => {
      count()
      return inner.streamMessage(request, options)
    }),
  countTokens: (request, options) =>
    Effect.suspend(() => {
      count()
      return inner.countTokens(request, options)
    })
})

/**
 * Runs a program and checks how many requests its pipeline saved: calls that the program made, less requests that reached the
 * script. A cache, shared calls or an open circuit save some; retries make it less, below zero too.
 *
 * **Example** (Checking that an open circuit spares the API)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded()]).pipe(
 *   ClaudeLayer.withCircuitBreaker({ failures: 1, openFor: "1 minute" })
 * )
 * const tenCalls = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   for (let i = 0; i < 10; i++) {
 *     yield* Effect.flip(claude.createMessage({
 *       model: "claude-sonnet-5-5",
 *       max_tokens: 100,
 *       messages: [{ role: "user", content: "Hello" }]
 *     }))
 *   }
 * })
 *
 * await Effect.runPromise(ClaudeAssert.requestsSaved(tenCalls, 9).pipe(Effect.provide(Claude)))
 * ```
 *
 * @category calls
 * @since 0.1.0
 */
export const requestsSaved = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  expected: number
): Effect.Effect<A, E, R | ClaudeService | ClaudeTest> =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const test = yield* ClaudeTest
    const before = (yield* test.calls).length
    let made = 0
    const result = yield* Effect.provideService(program, ClaudeService, counted(claude, () => made++))
    const sent = (yield* test.calls).length - before
    yield* insist(equal(`of ${made} calls and ${sent} requests, saved requests:`, made - sent, expected))
    return result
  })

/**
 * Runs a program that should fail with an error of this tag, and returns the error. Anything else is a failed assertion.
 *
 * **Example** (Looking at the error of a call)
 *
 * ```ts
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   const count = claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 *   return yield* ClaudeAssert.failsWith(count, "OverloadedError")
 * })
 *
 * const error = await Effect.runPromise(program.pipe(Effect.provide(ClaudeTest.script([Fault.overloaded()]))))
 * assert.strictEqual(error.status, 529)
 * ```
 *
 * @category results
 * @since 0.1.0
 */
export const failsWith = <A, E extends { readonly _tag: string }, R, const Tag extends E["_tag"]>(
  program: Effect.Effect<A, E, R>,
  tag: Tag
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, never, R> =>
  Effect.flatMap(Effect.exit(program), (exit) => {
    const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
    const isExpected = (failure: E | undefined): failure is Extract<E, { readonly _tag: Tag }> => failure?._tag === tag
    return isExpected(error) ? Effect.succeed(error) : reject(checkFailure(exit, tag))
  })

/**
 * Options of {@link sameBehavior}: `seed` of the random numbers, which both pipelines draw in the same order; `"same"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SameBehaviorOptions {
  readonly seed?: string | number | undefined
}

/**
 * Two pipelines around the same script do the same for a program: it ends the same way, with the same requests at the same
 * times. What differs is shown with both timelines side by side.
 *
 * **When to use**
 *
 * When a pipeline is written anew: by hand instead of `standard()`, from configuration, by another version of this toolkit.
 *
 * **Details**
 *
 * The program runs once with each pipeline, each time with a new script, a virtual clock at 0 and random numbers from the same seed.
 * Failures are compared by their tags, results by all that can be seen of them. A program that dies with both, such as by an
 * assertion in it or for want of a step, is a mistake in the test, and its defect fails the test.
 *
 * **Example** (Replacing a schedule)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   return yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 * })
 *
 * it.effect("the default is the standard schedule", () =>
 *   ClaudeAssert.sameBehavior(
 *     ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]),
 *     ClaudeLayer.withRetry(),
 *     ClaudeLayer.withRetry(ClaudeSchedule.standard),
 *     program
 *   ))
 * ```
 *
 * @category behavior
 * @since 0.1.0
 */
export const sameBehavior = <A, E, E1 = never, E2 = never>(
  script: Layer.Layer<ClaudeService | ClaudeTest>,
  first: (base: Layer.Layer<ClaudeService | ClaudeTest>) => Layer.Layer<ClaudeService | ClaudeTest, E1>,
  second: (base: Layer.Layer<ClaudeService | ClaudeTest>) => Layer.Layer<ClaudeService | ClaudeTest, E2>,
  program: Effect.Effect<A, E, ClaudeService | ClaudeTest>,
  options: SameBehaviorOptions = {}
): Effect.Effect<void, E1 | E2> =>
  Effect.gen(function*() {
    const seed = options.seed ?? "same"
    const left = yield* Behavior.observe(program, first(script), seed)
    const right = yield* Behavior.observe(program, second(script), seed)
    const difference = Behavior.difference(left, right)
    // A defect, or a script that is not used up, is a mistake in the test, but says less than a difference does.
    if (difference === undefined) return yield* Effect.andThen(Behavior.dieAgain(left), Exit.asVoid(left.script))
    const values = { actual: right.lines, expected: left.lines }
    return yield* Effect.die(new AssertionError(`the two pipelines do not behave the same: ${difference}`, values))
  })

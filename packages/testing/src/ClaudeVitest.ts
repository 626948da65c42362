/**
 * Tests with Vitest, as short as they can be: a name, a layer and what the program does with it.
 *
 * **When to use**
 *
 * In test files that run under Vitest; `vitest` and `@effect/vitest` have to be installed. This module is not part of the package's
 * index, so that nothing else needs them.
 *
 * **Details**
 *
 * In each test time passes by itself (`VirtualTime.run`), random numbers come from a seed, so that jitter is the same in each run,
 * and a failure shows the timeline of what happened: each request with its time, attempt, model and end, and what the policies
 * decided in between.
 *
 * **Example** (Testing a retry)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Effect from "effect/Effect"
 *
 * const request = {
 *   model: "claude-sonnet-5-5",
 *   max_tokens: 100,
 *   messages: [{ role: "user" as const, content: "Hello" }]
 * }
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(ClaudeLayer.withRetry())
 *
 * ClaudeVitest.effect("retries an overload", Claude, (claude) =>
 *   Effect.gen(function*() {
 *     yield* claude.createMessage(request)
 *     yield* ClaudeAssert.attempts(2)
 *   }))
 * ```
 *
 * @since 0.1.0
 */
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type * as Vitest from "@effect/vitest"
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ExpectedOptions, ExpectedWait, OutcomeName, PolicyName } from "./ClaudeAssert.ts"
import { matchers } from "./internal/vitest/matchers.ts"
import { traced } from "./internal/vitest/Traced.ts"
import type { RunOptions as VirtualTimeOptions } from "./VirtualTime.ts"

/**
 * How a test runs.
 *
 * **Details**
 *
 * - `seed`: of the random numbers; `"claude"`. `false` leaves them as they are.
 * - `limit`: how much virtual time the test may take; 1 day.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions extends VirtualTimeOptions {
  readonly seed?: string | number | false | undefined
}

/**
 * Options of a test: how it runs, and what Vitest takes, such as `timeout` (real time, in milliseconds), `retry` or `tags`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestOptions extends RunOptions, Vitest.TestOptions {}

/**
 * What a test does with the service. `context` is Vitest's.
 *
 * @category models
 * @since 0.1.0
 */
export type Body<A, E, R> = (claude: ClaudeServiceShape, context: Vitest.TestContext) => Effect.Effect<A, E, R>

/**
 * Registers a test over a layer that provides a `ClaudeService`; all that the layer provides can be asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Test {
  <Provided, E, A, E2>(
    name: string,
    layer: Layer.Layer<Provided | ClaudeService, E>,
    body: Body<A, E2, Provided | ClaudeService | Scope.Scope>,
    options?: TestOptions
  ): void
}

/**
 * A {@link Test} with Vitest's modifiers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tester extends Test {
  readonly skip: Test
  readonly only: Test
  readonly fails: Test
}

const splitOptions = ({ limit, seed, ...vitest }: TestOptions): {
  readonly run: RunOptions
  readonly vitest: Vitest.TestOptions
} => ({ run: { limit, seed }, vitest })

const bodyOf = <A, E, R>(body: Body<A, E, R>, context: Vitest.TestContext): Effect.Effect<A, E, R | ClaudeService> =>
  Effect.flatMap(ClaudeService, (claude) => body(claude, context))

const register = (test: Vitest.Vitest.Test<Scope.Scope>): Test => (name, layer, body, options = {}) => {
  const { run: how, vitest } = splitOptions(options)
  test(name, (context) => run(bodyOf(body, context), layer, how), vitest)
}

/**
 * Runs a program as the body of a test of one's own, such as one of `it.effect.each` or with fixtures: with its layer, time that
 * passes by itself and seeded random numbers. Whatever it fails with becomes a defect whose message shows the timeline.
 *
 * **Gotchas**
 *
 * Put it last: a failure that is expected has to be dealt with before.
 *
 * **Example** (Testing several faults)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import { ClaudeService } from "@effect-claude/client/ClaudeService"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { it } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const claude = yield* ClaudeService
 *   yield* claude.createMessage({
 *     model: "claude-sonnet-5-5",
 *     max_tokens: 100,
 *     messages: [{ role: "user", content: "Hello" }]
 *   })
 *   yield* ClaudeAssert.attempts(2)
 * })
 *
 * it.effect.each([Fault.overloaded(), Fault.internalServer(), Fault.connection()])("retries fault %#", (fault) =>
 *   program.pipe(ClaudeVitest.run(ClaudeTest.script([fault, Reply.text("hi")]).pipe(ClaudeLayer.withRetry()))))
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run: {
  <Provided, E, R2 = never>(
    layer: Layer.Layer<Provided, E, R2>,
    options?: RunOptions
  ): <A, E2, R>(program: Effect.Effect<A, E2, R>) => Effect.Effect<A, never, Exclude<R, Provided> | R2>
  <A, E2, R, Provided, E, R2 = never>(
    program: Effect.Effect<A, E2, R>,
    layer: Layer.Layer<Provided, E, R2>,
    options?: RunOptions
  ): Effect.Effect<A, never, Exclude<R, Provided> | R2>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E2, R, Provided, E, R2>(
    program: Effect.Effect<A, E2, R>,
    layer: Layer.Layer<Provided, E, R2>,
    options: RunOptions = {}
  ): Effect.Effect<A, never, Exclude<R, Provided> | R2> => traced(program, Effect.provide(layer), options)
)

/**
 * A test over a layer, which is built for this test alone. `effect.skip`, `effect.only` and `effect.fails` are there as well.
 *
 * **Details**
 *
 * The layer is any that provides a `ClaudeService`: a script, a fake API in memory, with policies around it. The timeline shows the
 * requests of a script, and what policies decide over anything.
 *
 * **Example** (Testing that an open circuit lets no request through)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Effect from "effect/Effect"
 *
 * const Claude = ClaudeTest.script([Fault.overloaded()]).pipe(ClaudeLayer.withCircuitBreaker({ failures: 1 }))
 *
 * ClaudeVitest.effect("fails fast", Claude, (claude) =>
 *   Effect.gen(function*() {
 *     const count = claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 *     yield* ClaudeAssert.failsWith(count, "OverloadedError")
 *     yield* ClaudeAssert.failsWith(count, "CircuitOpenError")
 *     yield* ClaudeAssert.requests(1)
 *   }))
 * ```
 *
 * @category registering
 * @since 0.1.0
 */
export const effect: Tester = Object.assign(register(it.effect), {
  skip: register(it.effect.skip),
  only: register(it.effect.only),
  fails: register(it.effect.fails)
})

/**
 * Registers a test over the layer that several share.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedTest<Provided> {
  <A, E>(name: string, body: Body<A, E, Provided | Scope.Scope>, options?: TestOptions): void
}

/**
 * Tests over one layer, which is built once for all of them: its script goes on from test to test, and so does its clock.
 *
 * **Example** (Following a circuit through two tests)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeAssert from "@effect-claude/testing/ClaudeAssert"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import * as Effect from "effect/Effect"
 *
 * const request = { model: "claude-sonnet-5-5", messages: [{ role: "user" as const, content: "Hello" }] }
 * const Claude = ClaudeTest.script([Fault.overloaded(), Reply.text("hi")]).pipe(
 *   ClaudeLayer.withCircuitBreaker({ failures: 1, openFor: "1 minute" })
 * )
 *
 * ClaudeVitest.layer(Claude)("a circuit", (test) => {
 *   test("opens", (claude) => ClaudeAssert.failsWith(claude.countTokens(request), "OverloadedError"))
 *   test("closes after a minute", (claude) => Effect.delay(claude.countTokens(request), "1 minute"))
 * })
 * ```
 *
 * @category registering
 * @since 0.1.0
 */
export const layer = <Provided, E>(
  shared: Layer.Layer<Provided | ClaudeService, E>,
  options: { readonly timeout?: Duration.Input | undefined } = {}
) =>
(name: string, tests: (test: SharedTest<Provided | ClaudeService>) => void): void => {
  const { timeout } = options
  it.layer(shared, timeout === undefined ? {} : { timeout })(name, (shared) => {
    tests((title, body, given = {}) => {
      const { run: how, vitest } = splitOptions(given)
      shared.effect(title, (context) => traced(bodyOf(body, context), (self) => self, how), vitest)
    })
  })
}

/** Durations are the same however they are written; everything else is Vitest's affair. */
const durationsAreEqual = (left: unknown, right: unknown): boolean | undefined =>
  Duration.isDuration(left) && Duration.isDuration(right) ? Duration.equals(left, right) : undefined

/**
 * Adds the matchers of this module to Vitest's `expect`, and the equality of durations ("60 seconds" and "1 minute"). Call it once,
 * in a file of Vitest's `setupFiles` or at the top of a test file.
 *
 * **Details**
 *
 * - `expect(calls)`, with what `ClaudeTest.calls` gives: `toHaveAttempts`, `toHaveRequests`, `toHaveWaits`, `toHaveModels`,
 *   `toHaveOutcomes`; a failure shows the timeline of these calls.
 * - `expect(claude)`, or with what `ClaudeLayer.describe` gives: `toHavePolicies`, `toHavePolicy`.
 * - `expect(exit)`: `toFailWith`, with the tag of an error.
 *
 * They take what the assertions of the same names in `ClaudeAssert` take.
 *
 * **Example** (Using the matchers)
 *
 * ```ts
 * import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as ClaudeVitest from "@effect-claude/testing/ClaudeVitest"
 * import * as Fault from "@effect-claude/testing/Fault"
 * import { expect } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 *
 * ClaudeVitest.setup()
 *
 * const Claude = ClaudeTest.script([Fault.spendLimit()]).pipe(ClaudeLayer.withRetry())
 *
 * ClaudeVitest.effect("a spend limit stops at once", Claude, (claude) =>
 *   Effect.gen(function*() {
 *     const exit = yield* Effect.exit(
 *       claude.countTokens({ model: "claude-sonnet-5-5", messages: [{ role: "user", content: "Hello" }] })
 *     )
 *     const { calls } = yield* ClaudeTest.ClaudeTest
 *     expect(exit).toFailWith("SpendLimitError")
 *     expect(yield* calls).toHaveAttempts(1)
 *     expect(claude).toHavePolicies(["retry"])
 *   }))
 * ```
 *
 * @category setup
 * @since 0.1.0
 */
export const setup = (): void => {
  expect.extend(matchers)
  expect.addEqualityTesters([durationsAreEqual])
}

declare module "vitest" {
  interface Matchers<
    R extends void | Promise<void> = void | Promise<void>,
    T = unknown
  > {
    readonly toHaveAttempts: (expected: number | ReadonlyArray<number>) => R
    readonly toHaveRequests: (expected: number) => R
    readonly toHaveWaits: (expected: ReadonlyArray<ExpectedWait>) => R
    readonly toHaveModels: (expected: ReadonlyArray<string>) => R
    readonly toHaveOutcomes: (expected: ReadonlyArray<OutcomeName>) => R
    readonly toHavePolicies: (expected: ReadonlyArray<PolicyName>) => R
    readonly toHavePolicy: (name: PolicyName, options?: ExpectedOptions) => R
    readonly toFailWith: (tag: string) => R
  }
}

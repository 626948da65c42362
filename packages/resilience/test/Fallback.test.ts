import * as Fallback from "@effect-claude/resilience/Fallback"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"

/** A target that records that it was asked. */
const recorder = () => {
  const asked: Array<string> = []
  const target = <const Name extends string, A, E>(name: Name, effect: Effect.Effect<A, E>) => ({
    name,
    effect: Effect.suspend(() => {
      asked.push(name)
      return effect
    })
  })
  const streamTarget = <const Name extends string, A, E>(name: Name, stream: Stream.Stream<A, E>) => ({
    name,
    stream: Stream.suspend(() => {
      asked.push(name)
      return stream
    })
  })
  return { asked, target, streamTarget }
}

describe("Fallback.firstOf", () => {
  it.effect("asks in order, stops at the first answer, and says who failed before", () =>
    Effect.gen(function*() {
      const { asked, target } = recorder()
      const answer = yield* Fallback.firstOf([
        target("a", Effect.fail("busy")),
        target("b", Effect.fail("busy too")),
        target("c", Effect.succeed(3)),
        target("d", Effect.succeed(4))
      ], { shouldFallback: () => true })
      assert.deepStrictEqual(answer, {
        value: 3,
        source: "c",
        failures: [{ name: "a", error: "busy" }, { name: "b", error: "busy too" }]
      })
      assert.deepStrictEqual(asked, ["a", "b", "c"])
    }))

  it.effect("fails with the first failure that must not fall through", () =>
    Effect.gen(function*() {
      const { asked, target } = recorder()
      const exit = yield* Effect.exit(Fallback.firstOf([
        target("a", Effect.fail("busy")),
        target("b", Effect.fail("bad request")),
        target("c", Effect.succeed(3))
      ], { shouldFallback: (error) => error === "busy" }))
      assert.deepStrictEqual([exit, asked], [Exit.fail("bad request"), ["a", "b"]])
    }))

  it.effect("fails with the last failure, its cause unchanged", () =>
    Effect.gen(function*() {
      const cause = Cause.combine(Cause.fail("last"), Cause.fail("and another"))
      const exit = yield* Effect.exit(Fallback.firstOf([
        { name: "a", effect: Effect.fail("first") },
        { name: "b", effect: Effect.failCause(cause) }
      ], { shouldFallback: () => true }))
      assert.deepStrictEqual(exit, Exit.failCause(cause))
    }))

  it.effect("lets no defect and no interruption fall through", () =>
    Effect.gen(function*() {
      const { asked, target } = recorder()
      const run = (effect: Effect.Effect<number, string>) =>
        Effect.exit(Fallback.firstOf([target("a", effect), target("b", Effect.succeed(1))], {
          shouldFallback: () => true
        }))
      assert.deepStrictEqual(yield* run(Effect.die("bug")), Exit.die("bug"))
      const interrupted = yield* run(Effect.interrupt)
      assert.isTrue(Exit.isFailure(interrupted) && Exit.hasInterrupts(interrupted))
      assert.deepStrictEqual(asked, ["a", "a"])
    }))

  it.effect("reports each switch before the next target is asked", () =>
    Effect.gen(function*() {
      const { asked, target } = recorder()
      const switches: Array<unknown> = []
      yield* Fallback.firstOf([
        target("a", Effect.fail("one")),
        target("b", Effect.fail("two")),
        target("c", Effect.void)
      ], {
        shouldFallback: () => true,
        onSwitch: (change) => Effect.sync(() => switches.push({ ...change, asked: [...asked] }))
      })
      assert.deepStrictEqual(switches, [
        { from: "a", to: "b", error: "one", asked: ["a"] },
        { from: "b", to: "c", error: "two", asked: ["a", "b"] }
      ])
    }))

  it("refuses no targets, and two of one name", () => {
    const one = { name: "a", effect: Effect.void }
    assert.throws(
      () => Fallback.firstOf([one, one], { shouldFallback: () => true }),
      RangeError,
      `Fallback.firstOf: option "targets" must not name two targets "a"`
    )
    const none = [] as unknown as readonly [typeof one]
    assert.throws(() => Fallback.firstOf(none, { shouldFallback: () => true }), RangeError, `"targets"`)
    const stream = { name: "a", stream: Stream.empty }
    assert.throws(
      () => Fallback.firstStreamOf([stream, stream], { shouldFallback: () => true, isContent: () => true }),
      RangeError,
      `Fallback.firstStreamOf: option "targets" must not name two targets "a"`
    )
  })
})

describe("Fallback.firstStreamOf", () => {
  const isContent = (element: string) => element.startsWith("text")
  const isTransparent = (element: string) => element === "ping"
  const options = { shouldFallback: (error: string) => error !== "bad request", isContent, isTransparent }
  const cut = (error: string, ...elements: ReadonlyArray<string>) =>
    Stream.concat(Stream.fromIterable(elements), Stream.fail(error))

  const observe = <A, E>(stream: Stream.Stream<A, E>) =>
    Effect.gen(function*() {
      const seen: Array<A> = []
      const exit = yield* Effect.exit(Stream.runForEach(stream, (element) => Effect.sync(() => seen.push(element))))
      return { seen, exit }
    })

  it.effect("switches before content, and leaves no preamble behind", () =>
    Effect.gen(function*() {
      const { asked, streamTarget } = recorder()
      const { exit, seen } = yield* observe(Fallback.firstStreamOf([
        streamTarget("a", cut("busy", "start", "ping")),
        streamTarget("b", cut("busy")),
        streamTarget("c", Stream.make("start", "text", "stop"))
      ], options))
      assert.deepStrictEqual(seen, ["ping", "start", "text", "stop"])
      assert.deepStrictEqual([exit, asked], [Exit.void, ["a", "b", "c"]])
    }))

  it.effect("never switches after content", () =>
    Effect.gen(function*() {
      const { asked, streamTarget } = recorder()
      const { exit, seen } = yield* observe(Fallback.firstStreamOf([
        streamTarget("a", cut("busy", "start", "text")),
        streamTarget("b", Stream.make("text"))
      ], options))
      assert.deepStrictEqual([seen, exit, asked], [["start", "text"], Exit.fail("busy"), ["a"]])
    }))

  it.effect("fails with what must not fall through, and with the last failure", () =>
    Effect.gen(function*() {
      const { asked, streamTarget } = recorder()
      const refused = yield* observe(Fallback.firstStreamOf([
        streamTarget("a", cut("bad request", "start")),
        streamTarget("b", Stream.make("text"))
      ], options))
      assert.deepStrictEqual([refused.seen, refused.exit, asked], [[], Exit.fail("bad request"), ["a"]])
      const exhausted = yield* observe(Fallback.firstStreamOf([
        streamTarget("c", cut("one")),
        streamTarget("d", cut("two", "start"))
      ], options))
      assert.deepStrictEqual([exhausted.seen, exhausted.exit], [[], Exit.fail("two")])
      const bug = yield* observe(Fallback.firstStreamOf([
        streamTarget("e", Stream.die("bug")),
        streamTarget("f", Stream.make("text"))
      ], options))
      assert.deepStrictEqual(bug.exit, Exit.die("bug"))
    }))

  it.effect("shows the source in the elements, and the switches on the way", () =>
    Effect.gen(function*() {
      const switches: Array<unknown> = []
      const { seen } = yield* observe(Fallback.firstStreamOf([
        { name: "a", stream: cut("busy", "ping", "start") },
        { name: "b", stream: Stream.make("text") }
      ], {
        ...options,
        onSwitch: (change) => Effect.sync(() => switches.push(change)),
        decorate: (element, { failures, source }) => ({ element, source, failed: failures.map(({ name }) => name) })
      }))
      assert.deepStrictEqual(seen, [
        { element: "ping", source: "a", failed: [] },
        { element: "text", source: "b", failed: ["a"] }
      ])
      assert.deepStrictEqual(switches, [{ from: "a", to: "b", error: "busy" }])
    }))

  it.effect("closes a target before the next is asked, and on interruption", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const resource = (name: string) =>
        Stream.scoped(Stream.fromEffect(Effect.acquireRelease(
          Effect.sync(() => log.push(`open ${name}`)),
          () => Effect.sync(() => log.push(`close ${name}`))
        )))
      const stream = Fallback.firstStreamOf([
        { name: "a", stream: Stream.flatMap(resource("a"), () => cut("busy", "start")) },
        { name: "b", stream: Stream.flatMap(resource("b"), () => Stream.concat(Stream.make("text"), Stream.never)) }
      ], { ...options, onSwitch: () => Effect.sync(() => log.push("switch")) })
      const fiber = yield* Effect.forkChild(Stream.runDrain(stream))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(log, ["open a", "close a", "switch", "open b"])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log.slice(4), ["close b"])
    }))

  it.effect("starts from the first target with each run", () =>
    Effect.gen(function*() {
      const { asked, streamTarget } = recorder()
      const stream = Fallback.firstStreamOf([
        streamTarget("a", cut("busy")),
        streamTarget("b", Stream.make("text"))
      ], options)
      yield* observe(stream)
      yield* observe(stream)
      assert.deepStrictEqual(asked, ["a", "b", "a", "b"])
    }))
})

import * as Fallback from "@effect-claude/resilience/Fallback"
import * as ResilienceEvent from "@effect-claude/resilience/ResilienceEvent"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

const countdown = (n: number): Effect.Effect<string, number> => n === 0 ? Effect.succeed("liftoff") : Effect.fail(n)

describe("Fallback.cascade", () => {
  it.effect("goes on as long as next has somebody", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const answer = yield* Fallback.cascade(countdown(3), (n) => {
        seen.push(n)
        return Effect.succeedSome(countdown(n - 1))
      })
      assert.deepStrictEqual([answer, seen], ["liftoff", [3, 2, 1]])
    }))

  it.effect("does not grow with a thousand of them", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* Fallback.cascade(countdown(20_000), (n) => Effect.succeedSome(countdown(n - 1))),
        "liftoff"
      )
    }))

  it.effect("lets a failure through with its cause, and the failure of next itself", () =>
    Effect.gen(function*() {
      const failing = Effect.annotateLogs(Effect.failCause(Cause.fail("busy")), "key", "value")
      assert.deepStrictEqual(
        yield* Effect.exit(Fallback.cascade(failing, () => Effect.succeedNone)),
        Exit.fail("busy")
      )
      assert.deepStrictEqual(
        yield* Effect.exit(Fallback.cascade(failing, () => Effect.fail("no more"))),
        Exit.fail("no more")
      )
    }))

  it.effect("does not ask about defects", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Fallback.cascade(Effect.die("bug"), () => Effect.succeedSome(Effect.succeed(1))))
      assert.deepStrictEqual(exit, Exit.die("bug"))
    }))
})

describe("Fallback.cascadeStream", () => {
  const options = {
    isContent: (element: string) => /^[a-z]/.test(element),
    isTransparent: (element: string) => element === "."
  }

  it.effect("drops the preamble of what failed, passes what is transparent, and stops at content", () =>
    Effect.gen(function*() {
      const broken = (name: string) => Stream.concat(Stream.make(".", `(${name}`), Stream.fail(name))
      const elements = yield* Stream.runCollect(Fallback.cascadeStream(broken("a"), {
        ...options,
        next: (error) => Effect.succeedSome(error === "a" ? broken("b") : Stream.make("(c", "c"))
      }))
      assert.deepStrictEqual(elements, [".", ".", "(c", "c"])
    }))

  it.effect("does not ask after content", () =>
    Effect.gen(function*() {
      let questions = 0
      const exit = yield* Effect.exit(Stream.runCollect(Fallback.cascadeStream(
        Stream.concat(Stream.make("(a", "a"), Stream.fail("cut")),
        {
          ...options,
          next: () => {
            questions += 1
            return Effect.succeed(Option.some(Stream.make("b")))
          }
        }
      )))
      assert.deepStrictEqual([exit, questions], [Exit.fail("cut"), 0])
    }))

  it.effect("an empty stream is an answer", () =>
    Effect.gen(function*() {
      const elements = yield* Stream.runCollect(Fallback.cascadeStream(Stream.empty as Stream.Stream<string, string>, {
        ...options,
        next: () => Effect.succeedSome(Stream.make("b"))
      }))
      assert.deepStrictEqual(elements, [])
    }))
})

describe("Fallback events", () => {
  it.effect("a switch is told with the names and the error's tag, for effects and streams", () => {
    const seen: Array<ResilienceEvent.ResilienceEvent> = []
    const busy = { _tag: "Busy", secret: "text" }
    return Effect.gen(function*() {
      yield* Fallback.firstOf([
        { name: "a", effect: Effect.fail(busy) },
        { name: "b", effect: Effect.succeed(1) }
      ], { shouldFallback: () => true })
      yield* Stream.runDrain(Fallback.firstStreamOf([
        { name: "c", stream: Stream.fail(busy) },
        { name: "d", stream: Stream.make(1) }
      ], { shouldFallback: () => true, isContent: () => true }))
      assert.deepStrictEqual(seen, [
        { _tag: "FallbackSwitched", from: "a", to: "b", error: "Busy" },
        { _tag: "FallbackSwitched", from: "c", to: "d", error: "Busy" }
      ])
    }).pipe(ResilienceEvent.listen((event) => {
      seen.push(event)
    }))
  })
})

import * as VirtualTime from "@effect-claude/testing/VirtualTime"
import type { Scope } from "effect"
import * as Effect from "effect/Effect"
import { expect, test } from "tstyche"

declare const program: Effect.Effect<number, "no", Scope.Scope>

test("run keeps the success, the failure and the services", () => {
  expect(VirtualTime.run(program)).type.toBe<Effect.Effect<number, "no", Scope.Scope>>()
  expect(VirtualTime.run(program, { limit: "2 hours" })).type.toBe<Effect.Effect<number, "no", Scope.Scope>>()
  expect(program.pipe(VirtualTime.run)).type.toBe<Effect.Effect<number, "no", Scope.Scope>>()
  expect(Effect.succeed(1).pipe(VirtualTime.run)).type.toBe<Effect.Effect<number>>()
})

import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
import * as ToolLoop from "@effect-claude/client/ToolLoop"
import type { ToolLoopError, ToolLoopFailure } from "@effect-claude/client/ToolLoopError"
import type { ToolLoopEvent, ToolLoopResult } from "@effect-claude/client/ToolLoopEvent"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

class Shelf extends Context.Service<Shelf, { readonly count: number }>()("Shelf") {}
class Audit extends Context.Service<Audit, { readonly note: string }>()("Audit") {}

class Declined {
  readonly _tag = "Declined"
}
class Down {
  readonly _tag = "Down"
  readonly since = new Date()
}

declare const request: MessageRequest
declare const charge: (cents: number) => Effect.Effect<string, Declined | Down, Shelf>

const input = Schema.Struct({ cents: Schema.FiniteFromString, day: Schema.optionalKey(Schema.Date) })

describe("ClaudeTool.make", () => {
  test("runs a tool with what its Schema decodes to, and a context", () => {
    ClaudeTool.make("charge", {
      description: "",
      input,
      run: (given, context) => {
        expect(given).type.toBe<{ readonly cents: number; readonly day?: Date }>()
        expect(context.idempotencyKey).type.toBe<string>()
        return Effect.void
      }
    })
  })

  test("keeps failures from the type that go back to the model, and what it needs in it", () => {
    const tool = ClaudeTool.make("charge", { description: "", input, run: ({ cents }) => charge(cents) })
    expect(tool).type.toBe<ClaudeTool.ClaudeTool<never, Shelf>>()
  })

  test("has the failures that stop the loop: those of a refinement, or all of them", () => {
    const some = ClaudeTool.make("charge", {
      description: "",
      input,
      run: ({ cents }) => charge(cents),
      haltOn: (error) => error._tag === "Down"
    })
    expect(some).type.toBe<ClaudeTool.ClaudeTool<Down, Shelf>>()
    const all = ClaudeTool.make("charge", {
      description: "",
      input,
      run: ({ cents }) => charge(cents),
      haltOn: () => true
    })
    expect(all).type.toBe<ClaudeTool.ClaudeTool<Declined | Down, Shelf>>()
  })

  test("adds what finding out how a call ended needs", () => {
    const tool = ClaudeTool.make("charge", {
      description: "",
      input,
      run: ({ cents }) => charge(cents),
      recover: () => Effect.map(Audit, ({ note }) => Option.some(note))
    })
    expect(tool).type.toBe<ClaudeTool.ClaudeTool<never, Shelf | Audit>>()
  })

  test("wants a value of its output Schema, or content", () => {
    const output = Schema.Struct({ receipt: Schema.Date })
    expect(ClaudeTool.make).type.toBeCallableWith("charge", {
      description: "",
      input,
      output,
      run: () => Effect.succeed({ receipt: new Date() })
    })
    expect(ClaudeTool.make).type.not.toBeCallableWith("charge", {
      description: "",
      input,
      output,
      run: () => Effect.succeed({ receipt: "today" })
    })
    expect(ClaudeTool.make).type.not.toBeCallableWith("charge", {
      description: "",
      input,
      run: () => Effect.succeed({ receipt: "today" })
    })
  })
})

describe("a loop", () => {
  const quiet = ClaudeTool.make("quiet", { description: "", input, run: () => Effect.map(Audit, ({ note }) => note) })
  const stops = ClaudeTool.make("stops", {
    description: "",
    input,
    run: ({ cents }) => charge(cents),
    haltOn: (error) => error._tag === "Down"
  })

  test("needs what its tools need, and is stopped by what they say", () => {
    expect(ToolLoop.run({ request, tools: [quiet, stops] })).type.toBe<
      Effect.Effect<ToolLoopResult, ToolLoopFailure<Down>, ClaudeService | Audit | Shelf>
    >()
    expect(ToolLoop.stream({ request, tools: [quiet, stops] })).type.toBe<
      Stream.Stream<ToolLoopEvent, ToolLoopFailure<Down>, ClaudeService | Audit | Shelf>
    >()
  })

  test("without tools needs Claude alone", () => {
    expect(ToolLoop.run({ request, tools: [] })).type.toBe<
      Effect.Effect<ToolLoopResult, ToolLoopFailure<never>, ClaudeService>
    >()
  })

  test("fails with one error, whose toolError has its type", () => {
    const handled = ToolLoop.run({ request, tools: [stops] }).pipe(
      Effect.catchTag("ToolLoopError", (error) => {
        expect(error.toolError?.since).type.toBe<Date | undefined>()
        expect(error).type.toBeAssignableTo<ToolLoopError>()
        return Effect.succeed(error.reason)
      })
    )
    expect<Effect.Error<typeof handled>>().type.toBe<never>()
  })
})

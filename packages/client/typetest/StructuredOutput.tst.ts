import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { AnswerError, ClaudeError } from "@effect-claude/client/ClaudeError"
import type { ClaudeService, MessageRequest } from "@effect-claude/client/ClaudeService"
import * as StructuredOutput from "@effect-claude/client/StructuredOutput"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

interface Rates extends Context.Service<Rates, number> {}

declare const request: MessageRequest
declare const message: Message
declare const price: Schema.Codec<{ readonly amount: number }, { readonly amount: string }, Rates>

const Person = Schema.Struct({ name: Schema.String, born: Schema.Date, nick: Schema.optionalKey(Schema.String) })
type Person = { readonly name: string; readonly born: Date; readonly nick?: string }

describe("make", () => {
  const output = StructuredOutput.make(Person)

  test("gives the decoded type", () => {
    expect(output.ask(request)).type.toBe<Effect.Effect<Person, ClaudeError, ClaudeService>>()
    expect(output.answer(request)).type.toBe<
      Effect.Effect<StructuredOutput.Answer<Person>, ClaudeError, ClaudeService>
    >()
    expect(output.decode(message)).type.toBe<Effect.Effect<Person, AnswerError>>()
  })

  test("needs what the Schema needs for decoding", () => {
    const prices = StructuredOutput.make(price)
    expect(prices.ask(request)).type.toBe<
      Effect.Effect<{ readonly amount: number }, ClaudeError, ClaudeService | Rates>
    >()
    expect(prices.decode(message)).type.toBe<Effect.Effect<{ readonly amount: number }, AnswerError, Rates>>()
  })

  test("a stream tells partial values from the last one", () => {
    expect(output.stream(request)).type.toBe<
      Stream.Stream<StructuredOutput.Progress<Person>, ClaudeError, ClaudeService>
    >()
    const value = (one: StructuredOutput.Progress<Person>) => one._tag === "Value" ? one.value : undefined
    expect(value).type.toBe<(one: StructuredOutput.Progress<Person>) => Person | undefined>()
    const partial = (one: StructuredOutput.Progress<Person>) => one._tag === "Partial" ? one.value : undefined
    expect(partial).type.toBe<(one: StructuredOutput.Progress<Person>) => Schema.Json | undefined>()
  })

  test("knows its options", () => {
    expect(StructuredOutput.make).type.toBeCallableWith(Person, { strategy: "tool", repairs: 0, tool: "person" })
    expect(StructuredOutput.make).type.not.toBeCallableWith(Person, { strategy: "prefill" })
  })
})

describe("oneOf", () => {
  test("gives the union of the labels", () => {
    expect(StructuredOutput.oneOf(["billing", "technical"])).type.toBe<
      StructuredOutput.StructuredOutput<"billing" | "technical">
    >()
    const labels: ReadonlyArray<string> = ["a"]
    expect(StructuredOutput.oneOf(labels)).type.toBe<StructuredOutput.StructuredOutput<string>>()
  })
})

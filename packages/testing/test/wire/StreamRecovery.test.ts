import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages/messages"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"
import * as ClaudeStream from "@effect-claude/client/ClaudeStream"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import type { FakeClaudeApi } from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { checkWellFormed } from "../streams/WellFormed.ts"
import { request, type Wire, withWire, withWireInMemory } from "./support.ts"

const prefills = "claude-haiku-4-5"
const asks = "claude-sonnet-5-5"

const schedule = RetrySchedule.standard({ base: 0, cap: 0, jitter: "none" })
const recovery = (options: ClaudeLayer.StreamRecoveryOptions = {}) =>
  ClaudeLayer.withStreamRecovery({ schedule, maxRecoveries: 100, ...options })

type Plan = FaultStep.MessageOptions
type Interrupt = NonNullable<Plan["interrupt"]>

interface Seen {
  readonly events: ReadonlyArray<MessageEvents.MessageEvent>
  readonly result: Result.Result<void, ClaudeError>
}

const watch = ({ claude }: Wire, asked: MessageRequest): Effect.Effect<Seen> =>
  Effect.suspend(() => {
    const events: Array<MessageEvents.MessageEvent> = []
    return claude.streamMessage(asked).pipe(
      Stream.runForEach((event) => Effect.sync(() => events.push(event))),
      Effect.result,
      Effect.map((result) => ({ events, result }))
    )
  })

/** Plans one answer whose first streams are cut like this. */
const plan = (api: FakeClaudeApi["Service"], answer: Plan, cuts: ReadonlyArray<Interrupt>) =>
  api.setPlan(FaultPlan.make({
    steps: cuts.map((interrupt) => FaultStep.message({ resume: true, ...answer, interrupt })),
    after: FaultStep.message({ resume: true, ...answer })
  }))

const accumulated = (events: ReadonlyArray<MessageEvents.MessageEvent>) => {
  const accumulator = MessageEvents.makeAccumulator()
  for (const event of events) accumulator.add(event)
  return accumulator
}

const contentOf = ({ events }: Seen): ReadonlyArray<ContentBlock> => accumulated(events).message()?.content ?? []

/** The content without what differs from answer to answer. */
const compared = (content: ReadonlyArray<ContentBlock>) =>
  content.map((block) => block.type === "tool_use" ? { type: block.type, name: block.name, input: block.input } : block)

const eventsOf = (seen: Seen): number => seen.events.filter((event) => !MessageEvents.isPing(event)).length

const texts: ReadonlyArray<readonly [string, string]> = [
  ["words", "The tortoise set out early, while the hare was still asleep."],
  ["no spaces", "supercalifragilisticexpialidocious"],
  ["CJK", "吾輩は猫である。 名前はまだ無い。 どこで生れたかとんと見当がつかぬ。"],
  ["emoji", "Hello 👋🏽 dear 👨‍👩‍👧 family 🎉 of 🦊 foxes"],
  ["white space around", " \n A story begins,  and it ends. \n"],
  ["newlines", "# Title\n\nOne paragraph.\n\nAnother paragraph,\nand a line.\n"],
  ["repeated words", "ha ha ha ha and no no no no and very very good"]
]

// Of a model that repeats nothing it cannot be told whether "ha ha" is new, nor of one that repeats "no" or "ha".
const isAmbiguous = (name: string, model: string): boolean => name === "repeated words" && model === asks

describe("continue, over a socket: the text is that of the uninterrupted stream", () => {
  for (const model of [prefills, asks]) {
    for (const [name, text] of texts) {
      if (isAmbiguous(name, model)) continue
      it.live(`${name}, cut at every event, ${model}`, () =>
        withWire({}, (wire) =>
          Effect.gen(function*() {
            const asked = { ...request, model }
            yield* plan(wire.api, { text }, [])
            const whole = yield* watch(wire, asked)
            for (const overlap of model === asks ? [0, 1, 2, 3] : [0]) {
              for (let afterEvents = 0; afterEvents < eventsOf(whole); afterEvents++) {
                yield* plan(wire.api, { text, resume: { overlap } }, [{ how: "end", afterEvents }])
                const seen = yield* watch(wire, asked)
                assert.isTrue(Result.isSuccess(seen.result), `${afterEvents} ${String(seen.result)}`)
                checkWellFormed(seen.events)
                assert.strictEqual(
                  accumulated(seen.events).partial().text,
                  text,
                  `${afterEvents} events, overlap ${overlap}`
                )
              }
            }
          }), recovery()), 30_000)
    }
  }

  for (const how of ["reset", "close", "error"] as const) {
    it.live(`by ${how}, many times in a row`, () =>
      withWire({}, (wire) =>
        Effect.gen(function*() {
          const [, text] = texts[0] as (typeof texts)[number]
          yield* plan(
            wire.api,
            { text },
            [4, 3, 5, 3, 4].map((afterEvents): Interrupt => ({ how, afterEvents }))
          )
          const seen = yield* watch(wire, request)
          checkWellFormed(seen.events)
          assert.strictEqual(accumulated(seen.events).partial().text, text)
          assert.lengthOf(yield* wire.api.requests, 6)
        }), recovery()), 30_000)
  }

  // In memory, where the bytes are the same: that is thousands of requests.
  for (const [model, step] of [[prefills, 5], [asks, 1]] as const) {
    it.live(`cut after each ${step} bytes, ${model}`, () =>
      withWireInMemory((wire) =>
        Effect.gen(function*() {
          const text = "Hi 👋 there, “you” two."
          for (let afterBytes = 0;; afterBytes += step) {
            yield* plan(wire.api, { text, resume: { overlap: 2 } }, [{ how: "end", afterBytes }])
            yield* wire.api.clearRequests
            const seen = yield* watch(wire, { ...request, model })
            assert.isTrue(Result.isSuccess(seen.result), `${afterBytes} ${String(seen.result)}`)
            // What the model that takes a prefill repeats is its own text: it was given the beginning.
            if (model === asks) assert.strictEqual(accumulated(seen.events).partial().text, text, String(afterBytes))
            checkWellFormed(seen.events)
            const requests = yield* wire.api.requests
            if (requests.length === 1) break
          }
        }), recovery()), 60_000)
  }
})

const answers: ReadonlyArray<readonly [string, NonNullable<Plan["content"]>]> = [
  ["thinking and text", [{ type: "thinking", thinking: "Let me see what there is" }, {
    type: "text",
    text: "So it is."
  }]],
  ["a tool", [{ type: "text", text: "Let me look." }, {
    type: "tool_use",
    name: "look",
    input: { path: "/etc/a/b/c/d" }
  }]],
  ["two texts", [{ type: "text", text: "One and one " }, { type: "text", text: "is two, I think." }]]
]

/** Runs an answer that is cut after each event and after each so many bytes, and gives what the consumer saw each time. */
const cutEverywhere = (
  wire: Wire,
  content: NonNullable<Plan["content"]>,
  model: string,
  check: (seen: Seen, at: string, message: Message) => void
) =>
  Effect.gen(function*() {
    const asked = { ...request, model }
    yield* plan(wire.api, { content }, [])
    const whole = yield* watch(wire, asked)
    const message = accumulated(whole.events).message() as Message
    for (let afterEvents = 0; afterEvents < eventsOf(whole); afterEvents++) {
      yield* plan(wire.api, { content }, [{ how: "end", afterEvents }])
      check(yield* watch(wire, asked), `${afterEvents} events`, message)
    }
    for (let afterBytes = 0;; afterBytes += 13) {
      yield* plan(wire.api, { content }, [{ how: "end", afterBytes }])
      yield* wire.api.clearRequests
      const seen = yield* watch(wire, asked)
      check(seen, `${afterBytes} bytes`, message)
      const requests = yield* wire.api.requests
      const isUncut = requests.length === 1 && Result.isSuccess(seen.result)
      if (isUncut) break
    }
  })

const hasFinishedTool = ({ events }: Seen): boolean => {
  const { message, unfinished } = accumulated(events).partial()
  return (message?.content ?? []).some(({ type }, at) => type === "tool_use" && unfinished?.includes(at) !== true)
}

for (const model of [prefills, asks]) {
  describe(`each mode does what it promises, ${model}`, () => {
    for (const [name, content] of answers) {
      it.live(
        `continue: ${name}`,
        () =>
          withWire({}, (wire) =>
            cutEverywhere(wire, content, model, (seen, at, whole) => {
              if (Result.isFailure(seen.result)) {
                // Its tool may have run, so nothing follows.
                assert.isTrue(hasFinishedTool(seen), at)
                assert.deepStrictEqual(
                  seen.result.failure.partial?.message?.content,
                  contentOf(seen) as Array<ContentBlock>
                )
                return
              }
              checkWellFormed(seen.events)
              assert.strictEqual(
                accumulated(seen.events).partial().text,
                whole.content.map((b) => b.type === "text" ? b.text : "").join(""),
                at
              )
              assert.deepStrictEqual(
                compared(contentOf(seen)).filter(({ type }) => type === "tool_use"),
                compared(whole.content).filter(({ type }) => type === "tool_use"),
                at
              )
              assert.isFalse(contentOf(seen).some((block) => block.type === "thinking" && block.signature === ""), at)
            }), recovery()),
        60_000
      )

      if (name === "a tool") {
        it.live(
          "continue, with tools that run after the answer",
          () =>
            withWire({}, (wire) =>
              cutEverywhere(wire, content, model, (seen, at, whole) => {
                assert.isTrue(Result.isSuccess(seen.result), at)
                checkWellFormed(seen.events)
                assert.deepStrictEqual(
                  compared(contentOf(seen)).filter(({ type }) => type === "tool_use"),
                  compared(whole.content).filter(({ type }) => type === "tool_use"),
                  at
                )
              }), recovery({ tools: "afterAnswer" })),
          60_000
        )
      }

      it.live(
        `restart: ${name}`,
        () =>
          withWire({}, (wire) =>
            cutEverywhere(wire, content, model, (seen, at, whole) => {
              if (Result.isFailure(seen.result)) return assert.isTrue(hasFinishedTool(seen), at)
              checkWellFormed(seen.events)
              const last = seen.events.findLastIndex(MessageEvents.isRestart)
              for (const events of [seen.events, seen.events.slice(last + 1)]) {
                assert.deepStrictEqual(compared(contentOf({ ...seen, events })), compared(whole.content), at)
              }
            }), recovery({ mode: "restart" })),
        60_000
      )

      it.live(
        `surface: ${name}`,
        () =>
          withWire({}, (wire) =>
            cutEverywhere(wire, content, model, (seen, at, whole) => {
              if (Result.isSuccess(seen.result)) return checkWellFormed(seen.events)
              const { partial } = seen.result.failure
              assert.deepStrictEqual(partial, accumulated(seen.events).partial(), at)
              const text = whole.content.map((block) => block.type === "text" ? block.text : "").join("")
              assert.isTrue(text.startsWith(partial?.text ?? "none"), at)
            }), recovery({ mode: "surface" })),
        60_000
      )
    }
  })
}

describe("the other ways to read a recovered stream", () => {
  it.live("text and message", () =>
    withWire({}, ({ api, claude }) =>
      Effect.gen(function*() {
        const text = "The tortoise set out early."
        yield* plan(api, { text }, [{ how: "reset", afterEvents: 4 }])
        assert.strictEqual(yield* Stream.mkString(MessageEvents.text(claude.streamMessage(request))), text)
        yield* plan(api, { text }, [{ how: "reset", afterEvents: 4 }])
        const message = yield* ClaudeStream.message(claude.streamMessage(request))
        assert.deepStrictEqual(message.content.map((block) => block.type === "text" ? block.text : ""), [text])
      }), recovery()))
})

import type { ContentBlock } from "@anthropic-ai/sdk/resources/messages/messages"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as ModelService from "./ModelService.ts"
import { checkWellFormed } from "./WellFormed.ts"

const atOnce = RetrySchedule.standard({ base: 0, cap: 0, jitter: "none" })

const requestTo = (model: string): MessageRequest => ({
  model,
  max_tokens: 1000,
  messages: [{ role: "user", content: "Hello" }]
})

/** Runs one stream to its end through a recovery, and gives what the consumer gets. */
const run = (script: ModelService.Script, options: ClaudeLayer.StreamRecoveryOptions, model: string) => {
  const { layer, requests } = ModelService.make(script)
  const program = Effect.gen(function*() {
    const claude = yield* ClaudeService
    const events: Array<MessageEvents.MessageEvent> = []
    const exit = yield* Effect.result(
      Stream.runForEach(claude.streamMessage(requestTo(model)), (event) => Effect.sync(() => events.push(event)))
    )
    return { events, exit, requests }
  })
  return Effect.provide(
    program,
    layer.pipe(ClaudeLayer.withStreamRecovery({ maxRecoveries: 100, schedule: atOnce, ...options })),
    { local: true }
  )
}

const messageOf = (events: ReadonlyArray<MessageEvents.MessageEvent>) => {
  const accumulator = MessageEvents.makeAccumulator()
  for (const event of events) accumulator.add(event)
  return accumulator
}

const textOf = (content: ReadonlyArray<ContentBlock>): string =>
  content.map((block) => block.type === "text" ? block.text : "").join("")

const prefills = "claude-haiku-4-5"
const asks = "claude-sonnet-5-5"

const texts: ReadonlyArray<readonly [string, string]> = [
  ["words", "The tortoise set out early in the morning, while the hare was still asleep under a tree."],
  ["no spaces", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  ["CJK", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"],
  ["emoji", "Hi 👋🏽 there 👨‍👩‍👧 family 🎉🎉🎉 of 🦊 foxes"],
  ["white space around", "  \n leading and trailing \n\n "],
  ["newlines", "# Title\n\n- one\n- two\n\n```js\nconst a = 1\n```\n\nEnd.\n"],
  ["paragraphs", "The First Chapter\n\nIt was late.\nNobody came.\n\nThe Second Chapter\n\nSomebody did, at last.\n"],
  ["repeated words", "ha ha ha ha, no no no no, very very very good good good"],
  ["closing tags", "<div>\n  <div>\n    <p>x</p>\n  </div>\n</div>\n</div>\n"],
  ["many blanks", "a  b   c    d     e      f"],
  ["one character", "x"],
  ["nothing", ""]
]

describe("continue: the text is that of an uninterrupted stream", () => {
  for (const model of [prefills, asks]) {
    for (const [name, written] of texts) {
      it.effect(`${name}, cut at every event, ${model}`, () =>
        Effect.gen(function*() {
          for (const size of [1, 3, 1000]) {
            const content = [ModelService.text(written)]
            const count = written.length / size + 6
            for (let cut = 0; cut < count; cut++) {
              const { events, exit, requests } = yield* run(
                { content, cuts: [cut], pieceOf: () => size },
                {},
                model
              )
              const at = `cut ${cut} of pieces of ${size}, last request ${JSON.stringify(requests.at(-1)?.messages)}`
              assert.strictEqual(exit._tag, "Success", at)
              checkWellFormed(events)
              assert.strictEqual(messageOf(events).partial().text, written, at)
              // Nothing that was shown is ever taken back.
              assert.lengthOf(events.filter(MessageEvents.isRestart), 0, at)
            }
          }
        }))
    }
  }

  const spoken = texts.filter(([name]) => ["words", "white space around", "paragraphs"].includes(name))
  for (const [name, written] of spoken) {
    for (const overlap of [0, 1, 2, 3]) {
      it.effect(`${name}, of a model that repeats ${overlap} words of its own accord`, () =>
        Effect.gen(function*() {
          // Between words, as a cut within one leaves it open whether the model repeats it or writes the next.
          const words = written.split(/(?<=\s)(?=\S)/)
          for (let cut = 2; cut < words.length + 5; cut++) {
            let index = 0
            const { events, exit } = yield* run(
              {
                content: [ModelService.text(written)],
                cuts: [cut],
                manner: { overlap },
                pieceOf: () => words[index++]?.length ?? 1000
              },
              {},
              asks
            )
            assert.strictEqual(exit._tag, "Success")
            assert.strictEqual(messageOf(events).partial().text, written, `cut ${cut}`)
          }
        }))
    }
  }

  it.effect("of several blocks, cut many times in a row at random", () =>
    Effect.gen(function*() {
      for (let runs = 0; runs < 300; runs++) {
        const one = yield* Effect.orDie(Random.choice(texts))
        const other = yield* Effect.orDie(Random.choice(texts))
        const blocks: ReadonlyArray<ReadonlyArray<ContentBlock>> = [
          [ModelService.text(one[1])],
          [ModelService.thinking("Let me think about this"), ModelService.text(one[1])],
          [ModelService.text(one[1]), ModelService.text(other[1])],
          [ModelService.text(one[1]), ...ModelService.search(), ModelService.text(other[1])]
        ]
        const content = yield* Effect.orDie(Random.choice(blocks))
        const cuts: Array<number> = []
        const count = yield* Random.nextIntBetween(1, 8)
        for (let i = 0; i < count; i++) cuts.push(yield* Random.nextIntBetween(0, 40))
        const sizes: Array<number> = []
        for (let i = 0; i < 40; i++) sizes.push(yield* Random.nextIntBetween(1, 12))
        let next = 0
        const model = yield* Effect.orDie(Random.choice([prefills, asks]))
        const { events, exit } = yield* run(
          { content, cuts, pieceOf: () => sizes[next++ % sizes.length] ?? 1 },
          {},
          model
        )
        const at = JSON.stringify({ content, cuts, model })
        assert.strictEqual(exit._tag, "Success", at)
        checkWellFormed(events)
        assert.strictEqual(messageOf(events).partial().text, textOf(content), at)
      }
    }).pipe(Random.withSeed("several")))
})

describe("restart: after the last restart the answer is whole", () => {
  for (const [name, written] of texts) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const content = [ModelService.thinking("Let me think"), ModelService.text(written)]
        for (let cut = 0; cut < written.length + 12; cut += 2) {
          const { events, exit } = yield* run(
            { content, cuts: [cut, cut + 3], pieceOf: () => 2 },
            { mode: "restart" },
            asks
          )
          assert.strictEqual(exit._tag, "Success")
          checkWellFormed(events)
          const last = events.findLastIndex(MessageEvents.isRestart)
          assert.deepStrictEqual(messageOf(events.slice(last + 1)).message()?.content, content)
          assert.deepStrictEqual(messageOf(events).message()?.content, content)
        }
      }))
  }
})

describe("surface: the failure has what had arrived", () => {
  for (const [name, written] of texts) {
    it.effect(name, () =>
      Effect.gen(function*() {
        for (let cut = 2; cut < written.length / 2 + 2; cut++) {
          const { events, exit } = yield* run(
            { content: [ModelService.text(written)], cuts: [cut], pieceOf: () => 2 },
            { mode: "surface" },
            asks
          )
          const error = exit._tag === "Failure" ? exit.failure : undefined
          assert.strictEqual(error?._tag, "StreamInterruptedError")
          assert.deepStrictEqual(error?.partial, messageOf(events).partial())
          assert.isTrue(written.startsWith(error?.partial?.text ?? "none"))
        }
      }))
  }
})

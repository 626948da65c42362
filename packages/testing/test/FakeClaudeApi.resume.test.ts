import Anthropic from "@anthropic-ai/sdk"
import type { Message, MessageParam } from "@anthropic-ai/sdk/resources/messages"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { eventNames, exchangeOverTcp, post, request, sseEvents } from "./FakeClaudeApi.rawClient.ts"

const question: MessageParam = { role: "user", content: "Tell me" }
const goOn: MessageParam = { role: "user", content: "Continue from where you left off." }
const assistant = (content: MessageParam["content"]): MessageParam => ({ role: "assistant", content })
const text = (text: string) => ({ type: "text" as const, text })
const thinking = { type: "thinking" as const, thinking: "Let me see.", signature: "c2lnbmVk" }
const search = {
  type: "server_tool_use",
  id: "srvtoolu_1",
  name: "web_search",
  input: { query: "x" },
  caller: { type: "direct" }
} as const

const serve = (after: FaultStep.FaultStepInput) => FakeClaudeApi.make({ plan: FaultPlan.make({ after }) })

/** A model that takes a prefill. */
const model = "claude-haiku-4-5"

const answer = Effect.fnUntraced(function*(options: FaultStep.MessageOptions, ...messages: Array<MessageParam>) {
  const api = yield* serve(FaultStep.message({ resume: true, ...options }))
  const body = { ...request, model, messages: [question, ...messages] }
  const whole: Message = JSON.parse((yield* post(api.url, { body })).text)
  const streamed = yield* post(api.url, { body: { ...body, stream: true } })
  const client = new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0 })
  const final = yield* Effect.promise(() =>
    client.messages.stream(body as Anthropic.MessageStreamParams).finalMessage()
  )
  assert.deepStrictEqual(final.content, whole.content)
  assert.strictEqual(eventNames(streamed.text).at(-1), "message_stop")
  return whole
})

const contents = (message: Message): ReadonlyArray<unknown> =>
  message.content.map((block) =>
    block.type === "text" ? block.text : block.type === "thinking" ? [block.thinking] : block
  )

describe("resume", () => {
  const planned = { text: "one two  three\n\nfour" }
  const rows: ReadonlyArray<readonly [begun: string, rest: ReadonlyArray<string>]> = [
    ["one two  three\n\nfour", []],
    ["one", [" two  three\n\nfour"]],
    ["o", ["ne two  three\n\nfour"]],
    ["one two", ["  three\n\nfour"]],
    ["one two  thr", ["ee\n\nfour"]],
    ["one two  three", ["\n\nfour"]],
    // Not the beginning of the answer: it is given whole.
    ["two", ["one two  three\n\nfour"]],
    ["one two  three\n\nfour five", ["one two  three\n\nfour"]]
  ]
  for (const [begun, rest] of rows) {
    it.live(`after ${JSON.stringify(begun)}`, () =>
      Effect.gen(function*() {
        for (const messages of [[assistant(begun)], [assistant([text(begun)]), goOn]]) {
          const message = yield* answer(planned, ...messages)
          assert.deepStrictEqual(contents(message), [...rest])
          assert.strictEqual(message.stop_reason, "end_turn")
        }
      }))
  }

  it.live("white space at the end of the turn counts where it is part of the answer, and is sent again where not", () =>
    Effect.gen(function*() {
      const after = (begun: string) => Effect.map(answer(planned, assistant(begun), goOn), contents)
      assert.deepStrictEqual(yield* after("one two "), [" three\n\nfour"])
      assert.deepStrictEqual(yield* after("one two  "), ["three\n\nfour"])
      assert.deepStrictEqual(yield* after("one two\n"), ["  three\n\nfour"])
    }))

  it.live("words that are said again, from the beginning of a word, and not beyond the text block", () =>
    Effect.gen(function*() {
      const content = [text("zero "), thinking, text("one two  three\n\nfour")]
      const after = (overlap: number, begun: string) =>
        Effect.map(
          answer({ content, resume: { overlap } }, assistant([text("zero "), thinking, text(begun)]), goOn),
          contents
        )
      assert.deepStrictEqual(yield* after(0, "one two"), ["  three\n\nfour"])
      assert.deepStrictEqual(yield* after(1, "one two"), ["two  three\n\nfour"])
      assert.deepStrictEqual(yield* after(1, "one two  th"), ["three\n\nfour"])
      assert.deepStrictEqual(yield* after(2, "one two  th"), ["two  three\n\nfour"])
      assert.deepStrictEqual(yield* after(9, "one two  th"), ["one two  three\n\nfour"])
      assert.deepStrictEqual(yield* after(1, "one two  three\n\nfour"), ["four"])
    }))

  const blocks = {
    content: [thinking, text("first."), search, text("second part"), {
      type: "tool_use",
      id: "toolu_1",
      name: "look",
      input: { a: 1 }
    }]
  } as const
  const call = {
    type: "tool_use" as const,
    id: "toolu_1",
    name: "look",
    input: { a: 1 },
    caller: { type: "direct" as const }
  }
  const after = (...messages: Array<MessageParam>) =>
    Effect.map(answer({ ...blocks, usage: {} }, ...messages), contents)

  it.live("finished blocks that the turn holds are left out", () =>
    Effect.gen(function*() {
      const on = (...content: Exclude<MessageParam["content"], string>) => after(assistant(content), goOn)
      assert.deepStrictEqual(yield* on(thinking, text("first.")), [search, "second part", call])
      assert.deepStrictEqual(yield* on(thinking, text("first."), search), ["second part", call])
      assert.deepStrictEqual(yield* on(thinking, text("first."), search, text("sec")), ["ond part", call])
      assert.deepStrictEqual(yield* on(thinking, text("first."), search, text("second part")), [call])
      assert.deepStrictEqual(yield* after(assistant([text("first."), search, text("sec")])), ["ond part", call])
    }))

  it.live("it does not matter how a client joins the texts", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after(assistant("first.second")), [" part", call])
      assert.deepStrictEqual(yield* after(assistant([text("fi"), text("rst.s"), text("econd")])), [" part", call])
      assert.deepStrictEqual(yield* after(assistant("first."), assistant("second")), [" part", call])
    }))

  it.live("what a prefill lacks is not said again, a model that is asked to go on thinks again", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after(assistant("first.sec")), ["ond part", call])
      assert.deepStrictEqual(yield* after(assistant("first.sec"), goOn), [["Let me see."], search, "ond part", call])
    }))

  it.live("a turn without text is answered whole", () =>
    Effect.gen(function*() {
      const whole = [["Let me see."], "first.", search, "second part", call]
      assert.deepStrictEqual(yield* after(assistant([thinking]), goOn), whole)
      assert.deepStrictEqual(yield* after(), whole)
      // What the user says next is no request to go on when it is more than text.
      const image = { type: "image", source: { type: "url", url: "https://example.com/a.png" } } as const
      assert.deepStrictEqual(yield* after(assistant("first.sec"), { role: "user", content: [image] }), whole)
    }))

  it.live("without it, the answer is whole", () =>
    Effect.gen(function*() {
      const message = yield* answer({ ...planned, resume: false }, assistant("one"))
      assert.deepStrictEqual(contents(message), [planned.text])
    }))

  it.live("output tokens are those of the rest", () =>
    Effect.gen(function*() {
      const long = { text: "word ".repeat(80) + "end" }
      const whole = yield* answer(long)
      const rest = yield* answer(long, assistant("word ".repeat(79) + "word"))
      assert.strictEqual(whole.usage.output_tokens, 101)
      assert.strictEqual(rest.usage.output_tokens, 1)
    }))
})

describe("interruption of a resumed answer", () => {
  const streamed = { ...request, model, stream: true }
  const text = "one two three four five"
  const deltas = (body: string) =>
    sseEvents(body).map(({ data }) => JSON.parse(data)).flatMap(({ delta }) =>
      delta?.text === undefined ? [] : [delta.text]
    )

  it.live("strikes at the end of what there is", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.message({ text, resume: true, interrupt: { how: "reset", afterEvents: 10 } }))
      const messages = [question, assistant("one two three four")]
      const exchange = yield* exchangeOverTcp(api.url, { ...streamed, messages })
      assert.strictEqual(exchange.ended, "reset")
      assert.include(exchange.text, "message_stop")
      assert.notInclude(exchange.text, "0\r\n\r\n")
    }))

  it.live("a client that resumes after every cut gets each word once", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.message({ text, resume: true, interrupt: { how: "end", afterEvents: 4 } }))
      let begun = ""
      const parts: Array<ReadonlyArray<string>> = []
      while (begun !== text) {
        const messages = begun === "" ? [question] : [question, assistant(begun.trimEnd())]
        const part = deltas((yield* post(api.url, { body: { ...streamed, messages } })).text)
        parts.push(part)
        begun = begun.trimEnd() + part.join("")
      }
      assert.deepStrictEqual(parts, [["one ", "two "], [" three ", "four "], [" five"]])
    }))
})

describe("a stream cut after some bytes", () => {
  for (const how of ["reset", "close", "end"] as const) {
    it.live(`by ${how}, wherever events end`, () =>
      Effect.gen(function*() {
        const healthy = yield* serve(FaultStep.message({ text: "Grüße 🎉" }))
        const whole = Buffer.from((yield* post(healthy.url, { body: { ...request, stream: true } })).text)
        for (const afterBytes of [0, 1, 400, 777, whole.length - 1, whole.length + 1]) {
          const api = yield* serve(FaultStep.message({ text: "Grüße 🎉", interrupt: { how, afterBytes } }))
          const { chunks, failure } = yield* post(api.url, { body: { ...request, stream: true } })
          assert.deepStrictEqual(Buffer.concat(chunks), whole.subarray(0, afterBytes))
          assert.strictEqual(failure === undefined, how === "end")
        }
      }))
  }

  it.live("counts pings and pieces", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.message({
        chunkBytes: 7,
        insert: [{ kind: "ping", afterEvents: 0, count: "forever", interval: "1 millis" }],
        interrupt: { how: "end", afterBytes: 100 }
      }))
      const { text } = yield* post(api.url, { body: { ...request, stream: true } })
      assert.strictEqual(text.length, 100)
      assert.notInclude(text, "message_start")
    }))

  it.live("afterEvents is what counts for a stream that has both", () =>
    Effect.gen(function*() {
      const api = yield* serve(FaultStep.message({ interrupt: { how: "end", afterEvents: 1, afterBytes: 5 } }))
      assert.deepStrictEqual(eventNames((yield* post(api.url, { body: { ...request, stream: true } })).text), [
        "message_start"
      ])
    }))
})

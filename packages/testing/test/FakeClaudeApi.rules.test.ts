import Anthropic, { BadRequestError } from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import { post, request } from "./FakeClaudeApi.rawClient.ts"

const user = (content: unknown) => ({ role: "user", content })
const assistant = (content: unknown) => ({ role: "assistant", content })
const text = (text: string) => ({ type: "text", text })
const thinking = { type: "thinking", thinking: "Hm", signature: "c2lnbmVk" }
const call = (id: string) => ({ type: "tool_use", id, name: "look", input: {} })
const result = (id: string) => ({ type: "tool_result", tool_use_id: id, content: "seen" })
const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }
const prefillable = "claude-haiku-4-5"

const credentials = { "x-api-key": "k", "content-type": "application/json" }

const say = Effect.fnUntraced(
  function*(fields: object, betas: ReadonlyArray<string> = [], path = "/v1/messages") {
    const api = yield* FakeClaudeApi.make()
    const headers = { ...credentials, ...(betas.length === 0 ? {} : { "anthropic-beta": betas.join(", ") }) }
    const { status, text } = yield* post(api.url, { headers, path, body: { ...request, ...fields } })
    const { error } = JSON.parse(text)
    return status === 200 ? "ok" : `${status} ${error.type}: ${error.message}`
  }
)

const conversation = (...messages: ReadonlyArray<unknown>) => ({ messages: [user("Hello"), ...messages] })

describe("conversations that the API refuses", () => {
  const noResult = (path: string, ids: string) =>
    `${path}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids}. `
    + "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
  const noCall = (path: string, id: string) =>
    `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. `
    + "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
  const noPrefill =
    "This model does not support assistant message prefill. The conversation must end with a user message."
  const space = "messages: final assistant content cannot end with trailing whitespace"

  const rows: ReadonlyArray<readonly [name: string, fields: object, message: string]> = [
    ["a prefill on a model that takes none", conversation(assistant("He")), noPrefill],
    ["an empty prefill on such a model", conversation(assistant("")), noPrefill],
    ["a prefill with white space at its end", { model: prefillable, ...conversation(assistant("He ")) }, space],
    ["the same in a block", { model: prefillable, ...conversation(assistant([text("He\n")])) }, space],
    [
      "a prefill while thinking is on",
      { model: prefillable, thinking: { type: "enabled", budget_tokens: 1024 }, ...conversation(assistant("He")) },
      "messages.1: an assistant message cannot be pre-filled while thinking is on. "
      + "To pre-fill the response, disable `thinking`."
    ],
    [
      "thinking in a prefill",
      { model: prefillable, ...conversation(assistant([thinking, text("He")])) },
      "messages.1.content.0: When thinking is disabled, an `assistant` message in the final position cannot contain "
      + "`thinking`. To use thinking blocks, enable `thinking` in your request."
    ],
    [
      "thinking without a signature",
      conversation(assistant([{ type: "thinking", thinking: "Hm" }, text("Hi")]), user("Go on")),
      "messages.1.content.0.thinking.signature: Field required"
    ],
    [
      "thinking with an empty signature",
      conversation(assistant([text("Hi"), { ...thinking, signature: "" }]), user("Go on")),
      "messages.1.content.1: Invalid `signature` in `thinking` block"
    ],
    [
      "calls without results",
      conversation(assistant([call("a"), call("b"), call("c")]), user([result("b")])),
      noResult("messages.1", "a, c")
    ],
    ["a call at the end", conversation(assistant([call("a")])), noResult("messages.1", "a")],
    [
      "a result behind other content",
      conversation(assistant([call("a")]), user([text("Here"), result("a")])),
      noResult("messages.1", "a")
    ],
    [
      "a result that comes a turn late",
      conversation(assistant([call("a")]), user("Wait"), assistant("Yes"), user([result("a")])),
      noResult("messages.1", "a")
    ],
    [
      "a result without a call",
      conversation(assistant("Hi"), user([result("a")])),
      noCall("messages.2.content.0", "a")
    ],
    ["a result at the beginning", { messages: [user([result("a")])] }, noCall("messages.0.content.0", "a")],
    [
      "two results for one call",
      conversation(assistant([call("a")]), user([result("a"), result("a")])),
      "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: a"
    ],
    [
      "two calls with one id",
      conversation(assistant([call("a")]), user([result("a")]), assistant([call("a")]), user([result("a")])),
      "messages.3.content.0: `tool_use` ids must be unique"
    ],
    ["an empty text block", conversation(user([text("")])), "messages: text content blocks must be non-empty"],
    [
      "a text block of white space",
      conversation(assistant([text("Hi"), text(" \n")]), user("Go on")),
      "messages: text content blocks must contain non-whitespace text"
    ],
    [
      "an empty answer in the middle",
      conversation(assistant([]), user("Go on")),
      "messages.1: all messages must have non-empty content except for the optional final assistant message"
    ],
    [
      "an empty question",
      { messages: [user("")] },
      "messages.0: all messages must have non-empty content except for the optional final assistant message"
    ]
  ]
  for (const [name, fields, message] of rows) {
    it.live(name, () =>
      Effect.gen(function*() {
        const refused = `400 invalid_request_error: ${message}`
        assert.strictEqual(yield* say(fields), refused)
        assert.strictEqual(yield* say({ ...fields, stream: true }), refused)
        assert.strictEqual(yield* say(fields, [], "/v1/messages/count_tokens"), refused)
      }))
  }

  it.live("the SDK's error says it", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const client = new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0 })
      const error = yield* Effect.promise(() =>
        client.messages.create({
          model: "claude-sonnet-5-5",
          max_tokens: 10,
          messages: [{ role: "user", content: "Hello" }, { role: "assistant", content: "He" }]
        }).catch((error: unknown) => error)
      )
      assert.instanceOf(error, BadRequestError)
      assert.strictEqual(error.type, "invalid_request_error")
    }))
})

describe("conversations that the API answers", () => {
  const rows: ReadonlyArray<readonly [name: string, fields: object]> = [
    ["a prefill on a model that takes one", { model: prefillable, ...conversation(assistant("He")) }],
    ["a prefill on a model that nobody knows", { model: "a-new-model", ...conversation(assistant([text("He")])) }],
    ["white space at the end of an earlier answer", conversation(assistant("Hi "), user("Go on"))],
    ["signed thinking in an earlier answer", conversation(assistant([thinking, text("Hi")]), user("Go on"))],
    [
      "results of parallel calls in any order",
      conversation(
        assistant([text("Let me look"), call("a"), call("b")]),
        user([result("b"), result("a"), text("There")])
      )
    ],
    [
      "results in two messages",
      conversation(assistant([call("a"), call("b")]), user([result("a")]), user([result("b")]))
    ],
    ["a paused turn as it came, on a model without prefill", conversation(assistant([text("Let me search"), search]))]
  ]
  for (const [name, fields] of rows) {
    it.live(name, () => Effect.map(say(fields), (answer) => assert.strictEqual(answer, "ok")))
  }
})

describe("fields that need a beta header", () => {
  const fallback = "server-side-fallback-2026-07-01"
  const credit = "fallback-credit-2026-07-01"
  const fallbacks = [{ model: "claude-opus-5" }]
  const prefill = conversation(assistant("He"))
  const thinking = { type: "adaptive" }
  const extra = (field: string) => `400 invalid_request_error: ${field}: Extra inputs are not permitted`
  const invalid = "400 invalid_request_error: fallback_credit_token: Input should be a valid string"

  const rows: ReadonlyArray<readonly [name: string, fields: object, betas: ReadonlyArray<string>, answer: string]> = [
    ["fallbacks without it", { fallbacks }, [], extra("fallbacks")],
    ["fallbacks with another", { fallbacks: "default" }, [credit], extra("fallbacks")],
    ["fallbacks with it", { fallbacks }, ["other-2026-01-01", fallback], "ok"],
    ["no fallbacks", { fallbacks: null, fallback_credit_token: null }, [], "ok"],
    ["a token without it", { fallback_credit_token: "t" }, [], extra("fallback_credit_token")],
    ["a token with it", { fallback_credit_token: "t" }, [credit], "ok"],
    ["a token as an object", { fallback_credit_token: { token: "t", mode: "best_effort" } }, [credit], "ok"],
    [
      "the same before there were objects",
      { fallback_credit_token: { token: "t" } },
      ["fallback-credit-2026-06-01"],
      invalid
    ],
    ["an empty token", { fallback_credit_token: "" }, [credit], invalid],
    [
      "a token and fallbacks",
      { fallbacks, fallback_credit_token: "t" },
      [credit, fallback],
      "400 invalid_request_error: fallback_credit_token: cannot be combined with fallbacks"
    ],
    ["a token allows a prefill where the model takes none", { ...prefill, thinking, fallback_credit_token: "t" }, [
      credit
    ], "ok"],
    [
      "but no white space at its end",
      { ...conversation(assistant("He ")), fallback_credit_token: "t" },
      [credit],
      "400 invalid_request_error: messages: final assistant content cannot end with trailing whitespace"
    ]
  ]
  for (const [name, fields, betas, answer] of rows) {
    it.live(name, () => Effect.map(say(fields, betas), (said) => assert.strictEqual(said, answer)))
  }
})

import Anthropic, { BadRequestError, NotFoundError } from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FakeClaudeApi from "../src/FakeClaudeApi.ts"
import type { FaultPlanInput } from "../src/FaultPlan.ts"
import { post, request } from "./FakeClaudeApi.rawClient.ts"

const said = Effect.fnUntraced(
  function*(fields: object, headers: Record<string, string> = {}, plan: FaultPlanInput = {}) {
    const api = yield* FakeClaudeApi.make({ plan })
    const { status, text } = yield* post(api.url, {
      headers: { "x-api-key": "k", ...headers },
      body: { ...request, ...fields }
    })
    return status === 200 ? "ok" : { status, ...JSON.parse(text).error }
  }
)

const invalid = (message: string) => ({ status: 400, type: "invalid_request_error", message })

describe("thinking", () => {
  const rows: ReadonlyArray<readonly [model: string, type: string, taken: boolean]> = [
    ["claude-haiku-4-5", "enabled", true],
    ["claude-haiku-4-5", "adaptive", false],
    ["claude-haiku-4-5", "between_tools", false],
    ["claude-haiku-4-5", "disabled", true],
    ["claude-opus-4-6", "enabled", true],
    ["claude-opus-4-6", "adaptive", true],
    ["claude-opus-5-5", "enabled", false],
    ["claude-opus-5-5", "adaptive", true],
    ["claude-sonnet-5-5", "disabled", false],
    ["claude-sonnet-5-5", "between_tools", true],
    ["a-model-of-another-cloud", "enabled", true]
  ]
  for (const [model, type, taken] of rows) {
    it.live(`${model} ${taken ? "takes" : "refuses"} ${type}`, () =>
      Effect.gen(function*() {
        const thinking = { type, ...(type === "enabled" ? { budget_tokens: 1024 } : {}) }
        const expected = taken ? "ok" : invalid(`"thinking.type.${type}" is not supported for this model.`)
        assert.deepEqual(yield* said({ model, thinking }), expected)
      }))
  }
})

describe("tools", () => {
  const tool = (name: string) => ({ name, input_schema: { type: "object" } })

  it.live("a forced call on a model that takes none", () =>
    Effect.gen(function*() {
      const forced = { tools: [tool("look")], tool_choice: { type: "any" } }
      assert.deepEqual(
        yield* said({ ...forced, model: "claude-sonnet-5-5" }),
        invalid("tool_choice: This model does not support a tool_choice that forces tool use.")
      )
      assert.strictEqual(yield* said({ ...forced, model: "claude-opus-5" }), "ok")
    }))

  it.live("two of one name", () =>
    Effect.gen(function*() {
      assert.deepEqual(yield* said({ tools: [tool("look"), tool("go"), tool("look")] }), {
        ...invalid("tools: Tool names must be unique: look"),
        details: { error_code: "tool_name_conflict" }
      })
      assert.strictEqual(yield* said({ tools: [tool("look"), tool("go")] }), "ok")
    }))
})

describe("versions", () => {
  const document = { type: "document", source: { type: "text", media_type: "text/plain", data: "x" } }
  const user = (content: unknown) => ({ role: "user", content })
  const assistant = (content: unknown) => ({ role: "assistant", content })
  const rows: ReadonlyArray<readonly [name: string, fields: object, message: string]> = [
    ...["temperature", "top_p", "top_k"].map((name) =>
      [name, { [name]: 1 }, `${name}: Extra inputs are not permitted`] as const
    ),
    [
      "a document of the assistant",
      { messages: [user("Read"), assistant([document]), user("Go on")] },
      "messages.1.content.0: `document` blocks are not permitted in `assistant` messages"
    ],
    [
      "citations on text of the user",
      { messages: [user([{ type: "text", text: "Hello", citations: [] }])] },
      "messages.0.content.0.text.citations: Extra inputs are not permitted"
    ]
  ]
  for (const [name, fields, message] of rows) {
    it.live(`${name}: refused since 2026-10-21`, () =>
      Effect.gen(function*() {
        for (const version of ["2026-10-21", "2027-01-01"]) {
          assert.deepEqual(yield* said(fields, { "anthropic-version": version }), invalid(message))
        }
        assert.strictEqual(yield* said(fields, { "anthropic-version": "2023-06-01" }), "ok")
        assert.strictEqual(yield* said(fields), "ok")
      }))
  }

  it.live("what is null, and documents of the user, are taken", () =>
    Effect.gen(function*() {
      const fields = {
        temperature: null,
        messages: [
          user([{ type: "text", text: "Hello", citations: null }, { ...document, citations: { enabled: true } }])
        ]
      }
      assert.strictEqual(yield* said(fields, { "anthropic-version": "2026-10-21" }), "ok")
    }))

  it.live("the official SDK meets the rule", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const client = new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0 })
      const error = yield* Effect.promise(() =>
        client.messages.create(Object.assign(
          { model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user" as const, content: "Hi" }] },
          { temperature: 0.5 }
        )).catch((error: unknown) => error)
      )
      assert.instanceOf(error, BadRequestError)
      assert.strictEqual(error.apiMessage, "temperature: Extra inputs are not permitted")
    }))
})

describe("rules of the plan", () => {
  const noModel = (model: string) => ({ status: 404, type: "not_found_error", message: `model: ${model}` })

  it.live("models that there are", () =>
    Effect.gen(function*() {
      const plan = (models: "any" | "known" | ReadonlyArray<string>): FaultPlanInput => ({ requestRules: { models } })
      assert.strictEqual(yield* said({ model: "mine" }), "ok")
      assert.strictEqual(yield* said({ model: "mine" }, {}, plan("any")), "ok")
      assert.deepEqual(yield* said({ model: "mine" }, {}, plan("known")), noModel("mine"))
      assert.strictEqual(yield* said({ model: "claude-opus-5" }, {}, plan("known")), "ok")
      assert.strictEqual(yield* said({ model: "mine" }, {}, plan(["mine"])), "ok")
      assert.deepEqual(yield* said({ model: "claude-opus-5" }, {}, plan(["mine"])), noModel("claude-opus-5"))
    }))

  it.live("the official SDK has a class for a model that there is not", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make({ plan: { requestRules: { models: "known" } } })
      const client = new Anthropic({ apiKey: "k", baseURL: api.url, maxRetries: 0 })
      const error = yield* Effect.promise(() =>
        client.messages.create({ model: "claude-sonet", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] })
          .catch((error: unknown) => error)
      )
      assert.instanceOf(error, NotFoundError)
    }))

  it.live("fallbacks that a model may have", () =>
    Effect.gen(function*() {
      const beta = { "anthropic-beta": "server-side-fallback-2026-07-01" }
      const ask = (model: string, fallbacks: unknown) =>
        said({ model, fallbacks }, beta, {
          requestRules: { allowedFallbacks: { "claude-fable-5": ["claude-opus-5"], "claude-haiku-4-5": [] } }
        })
      const to = (...models: ReadonlyArray<string>) => models.map((model) => ({ model }))
      assert.strictEqual(yield* ask("claude-fable-5", to("claude-opus-5")), "ok")
      assert.deepEqual(
        yield* ask("claude-fable-5", to("claude-opus-5", "claude-haiku-4-5")),
        invalid("fallbacks.1.model: This model cannot be a fallback for claude-fable-5.")
      )
      assert.deepEqual(
        yield* ask("claude-haiku-4-5", to("claude-opus-5")),
        invalid("fallbacks: This model does not support fallbacks.")
      )
      // "default" is taken everywhere: a model without fallbacks answers alone.
      assert.strictEqual(yield* ask("claude-haiku-4-5", "default"), "ok")
      assert.strictEqual(yield* ask("claude-opus-5", to("claude-haiku-4-5")), "ok")
    }))
})

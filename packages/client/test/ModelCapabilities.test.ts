import type { ModelInfo, ThinkingTypes } from "@anthropic-ai/sdk/resources/models"
import * as ModelCapabilities from "@effect-claude/client/ModelCapabilities"
import * as Models from "@effect-claude/client/Models"
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const sdkSource = (path: string): string =>
  readFileSync(join(dirname(createRequire(import.meta.url).resolve("@anthropic-ai/sdk")), "src", path), "utf8")

describe("ModelCapabilities.of", () => {
  it("only the models of 4.5 take a prefill", () => {
    for (const model of Models.known) {
      assert.strictEqual(ModelCapabilities.of(model).prefill, /^claude-(haiku|opus|sonnet)-4-5/.test(model), model)
    }
  })

  it("extended thinking ends with 4.6, adaptive thinking begins there", () => {
    for (const model of Models.known) {
      const thinking = ModelCapabilities.of(model).thinking
      assert.isObject(thinking, model)
      const isOld = model.includes("-4-5")
      const isBetween = model.includes("-4-6") || model === "claude-mythos-preview"
      assert.deepInclude(thinking, {
        enabled: isOld || isBetween,
        adaptive: !isOld,
        between_tools: model === "claude-sonnet-5-5"
      })
    }
  })

  it("all that are listed have structured outputs; those that refuse a forced tool, or may, are not said to take one", () => {
    for (const model of Models.known) {
      const { forcedTools, structuredOutputs } = ModelCapabilities.of(model)
      assert.isTrue(structuredOutputs, model)
      const isOld = /-4-[5678]|-(sonnet|opus)-5$/.test(model)
      const isRefused = ["claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-1"].includes(model)
      assert.strictEqual(forcedTools, isOld ? true : isRefused ? false : undefined, model)
    }
  })

  it("says nothing of a model that is not listed, whatever its name", () => {
    for (const model of ["", "constructor", "__proto__", "claude-opus-9"]) {
      assert.deepStrictEqual(ModelCapabilities.of(model), {})
    }
  })

  it("has the SDK's limits of answers that are not streamed, and no others", () => {
    const rows = [...sdkSource("internal/constants.ts").matchAll(/'([^']+)': (\d+)/g)]
    assert.isAbove(rows.length, 0)
    for (const [, model = "", limit] of rows) {
      assert.deepStrictEqual(ModelCapabilities.of(model), { maxOutputTokensUnstreamed: Number(limit) })
    }
    assert.strictEqual(rows.length, 3)
  })
})

const yes = { supported: true }
const no = { supported: false }

const infoWith = (supported: boolean, types: Partial<ThinkingTypes>): ModelInfo => ({
  id: "claude-haiku-4-5",
  type: "model",
  display_name: "Haiku",
  line: null,
  lifecycle: "active",
  created_at: "2025-10-01T00:00:00Z",
  deprecated_at: null,
  retires_at: null,
  max_input_tokens: 1000,
  max_tokens: 100,
  // Only the part that is read.
  capabilities: {
    thinking: { supported, types: { adaptive: no, between_tools: no, disabled: no, enabled: no, ...types } }
  } as ModelInfo["capabilities"]
})

describe("ModelCapabilities.fromModelInfo", () => {
  it("has the numbers and the kinds of thinking, beside what is known by name", () => {
    assert.deepStrictEqual(ModelCapabilities.fromModelInfo(infoWith(true, { disabled: yes, enabled: yes })), {
      structuredOutputs: true,
      forcedTools: true,
      prefill: true,
      contextWindow: 1000,
      maxOutputTokens: 100,
      thinking: { adaptive: false, between_tools: false, disabled: true, enabled: true }
    })
    assert.isFalse(ModelCapabilities.fromModelInfo(infoWith(false, {})).thinking)
  })

  it("leaves open what the API leaves open", () => {
    const info = { ...infoWith(true, {}), id: "new", max_input_tokens: null, max_tokens: null, capabilities: null }
    assert.deepStrictEqual(ModelCapabilities.fromModelInfo(info), {})
  })

  it("has the API's own word on structured outputs", () => {
    for (const supported of [true, false]) {
      const info = infoWith(true, {})
      const capabilities = { ...info.capabilities, structured_outputs: { supported } } as ModelInfo["capabilities"]
      assert.strictEqual(ModelCapabilities.fromModelInfo({ ...info, capabilities }).structuredOutputs, supported)
      assert.strictEqual(
        ModelCapabilities.fromModelInfo({ ...info, id: "new", capabilities }).structuredOutputs,
        supported
      )
    }
    assert.isUndefined(ModelCapabilities.fromModelInfo({ ...infoWith(true, {}), id: "new" }).structuredOutputs)
  })

  it("copes with a gateway that says nothing but the name", () => {
    assert.deepStrictEqual(ModelCapabilities.fromModelInfo({ id: "new" } as ModelInfo), {})
  })
})

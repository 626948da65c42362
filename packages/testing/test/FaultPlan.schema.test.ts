import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as FaultStep from "../src/FaultStep.ts"
import { decodePlan } from "../src/internal/fake/PlanDecoding.ts"
import { descriptions } from "../src/internal/fake/PlanDescriptions.ts"

const root = new URL("../../../", import.meta.url)
const published = new URL("packages/testing/fault-plan.schema.json", root)

const schema = FaultPlan.jsonSchema()
const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, strictTypes: false })
ajv.addFormat("regex", true)
const validate = ajv.compile(schema)

const mistakes = (plan: unknown): ReadonlyArray<string> =>
  validate(plan) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`)

/** Plans in the documents, known by their fields. */
const documented = readdirSync(new URL("docs/", root)).filter((name) => name.endsWith(".md")).flatMap((name) => {
  const text = readFileSync(new URL(`docs/${name}`, root), "utf8")
  return [...text.matchAll(/^```json\n(.*?)^```/gms)].flatMap(([, json]) => {
    const value: unknown = JSON.parse(json ?? "")
    const isPlan = typeof value === "object" && value !== null
      && Object.keys(value).some((field) => field in descriptions.FaultPlan)
    return isPlan ? [{ name, plan: value }] : []
  })
})

const overloaded = { kind: "error", status: 529, error: { type: "overloaded_error" } }

describe("the JSON schema of plans", () => {
  it("is the published file; write it with `npm run -s cli -- fake-api --schema > packages/testing/fault-plan.schema.json`", () => {
    assert.deepStrictEqual(JSON.parse(readFileSync(fileURLToPath(published), "utf8")), schema)
  })

  it("takes every plan of the documents", () => {
    assert.isAbove(documented.length, 0)
    for (const { name, plan } of documented) {
      assert.deepStrictEqual(mistakes(plan), [], name)
      assert.isTrue(Result.isSuccess(decodePlan(plan)), name)
    }
  })

  const good: Readonly<Record<string, unknown>> = {
    "an empty plan": {},
    "a plan that names its schema": { $schema: "./fault-plan.schema.json", steps: [] },
    "times in every form": {
      steps: [1500, 0, 0.5, "2 seconds", "1.5 minutes", "1 milli"].map((delay) => ({ kind: "message", delay })),
      rateLimits: { requests: 1, window: "1 second" }
    },
    "every kind of step": {
      steps: [
        { kind: "message", content: [{ type: "text", text: "a" }, { type: "of_tomorrow", with: ["anything"] }] },
        {
          kind: "message",
          insert: [{ kind: "ping", count: "forever", interval: 5 }],
          interrupt: { how: "reset", pause: 5 }
        },
        overloaded,
        { kind: "response", status: 200, body: { any: ["JSON", null] }, headers: { server: null } },
        { kind: "disconnect", how: "garbage" },
        { kind: "capacity", limit: 0, serviceTime: "1 second" }
      ]
    },
    "models, outages, limits and batches": {
      models: { a: { steps: [], after: overloaded, outages: [{ from: 0, step: overloaded }] } },
      rateLimits: { models: { a: { requests: 1 } }, otherConsumers: { share: 0.5 } },
      batches: { outcomes: [{ outcome: "expired", customId: "^a", share: 1 }], steps: { create: [overloaded] } }
    }
  }
  for (const [name, plan] of Object.entries(good)) {
    it(`takes ${name}, as the decoder does`, () => {
      assert.deepStrictEqual(mistakes(plan), [])
      assert.isTrue(Result.isSuccess(decodePlan(plan)))
    })
  }

  const bad: Readonly<Record<string, unknown>> = {
    "no object": [],
    "an unknown field": { step: [] },
    "an unknown field of a step": { steps: [{ kind: "message", dely: 5 }] },
    "an unknown kind": { steps: [{ kind: "explode" }] },
    "a missing field": { steps: [{ kind: "error", status: 500 }] },
    "null for a field that may be left out": { steps: [{ kind: "message", delay: null }] },
    "a negative time": { steps: [{ kind: "message", delay: -1 }] },
    "a time without a unit": { steps: [{ kind: "message", delay: "5" }] },
    "a window of no time": { rateLimits: { requests: 1, window: 0 } },
    "half a request": { steps: [{ kind: "message", times: 1.5 }] },
    "a status that is none": { steps: [{ ...overloaded, status: 200 }] },
    "a header of two lines": { steps: [{ ...overloaded, headers: { a: "b\nc" } }] },
    "a known block without its text": { steps: [{ kind: "message", content: [{ type: "text" }] }] },
    "text and content": { steps: [{ kind: "message", text: "a", content: [] }] },
    "data and error": { steps: [{ kind: "message", interrupt: { how: "error", data: "", error: { type: "a" } } }] },
    "pings for ever at once": { steps: [{ kind: "message", insert: [{ kind: "ping", count: "forever" }] }] },
    "a last step that ends": { after: { ...overloaded, times: 2 } },
    "an outage that is counted": { outages: [{ from: 0, step: { ...overloaded, times: 2 } }] },
    "two kinds of other consumers": { rateLimits: { requests: 1, otherConsumers: { share: 1, requestsPerSecond: 1 } } },
    "a share of more than all": { batches: { outcomes: [{ outcome: "expired", share: 2 }] } }
  }
  for (const [name, plan] of Object.entries(bad)) {
    it(`refuses ${name}, as the decoder does`, () => {
      assert.isNotEmpty(mistakes(plan))
      assert.isTrue(Result.isFailure(decodePlan(plan)))
    })
  }

  it.effect.prop(
    "takes every plan that the decoder takes",
    { steps: Schema.Array(FaultStep.FaultStep) },
    ({ steps }) =>
      Effect.gen(function*() {
        const plan: unknown = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(FaultPlan.FaultPlan)({ steps })))
        // Some values change on their way through JSON.
        if (Result.isSuccess(decodePlan(plan))) assert.deepStrictEqual(mistakes(plan), [])
      }),
    { arbitrary: { runs: 100, seed: 5 } }
  )

  const definitions = Schema.decodeUnknownSync(Schema.Record(Schema.String, Schema.Json))(schema["$defs"])

  for (const [name, described] of Object.entries(descriptions)) {
    it(`describes every field of ${name}, and none that it does not have`, () => {
      const fields = fieldsOf(definitions[name], "")
      const known = new Set(fields)
      const named = new Set(Object.keys(described))
      assert.isTrue(named.delete(""), name)
      assert.deepStrictEqual([...named].filter((path) => !known.has(path)), [])
      // Fields of a verbatim form are those of the API, and named like them.
      const own = [...known].filter((path) =>
        !/^(content|usage|stopDetails|outcomes\.stopDetails)\.|^input|^[a-z]+_/.test(path)
      )
      if (name !== "ContentBlock") assert.deepStrictEqual(own.filter((path) => !named.has(path)), [])
    })
  }
})

/** The fields of a definition, those of objects within with their path. */
const fieldsOf = (value: Schema.Json | undefined, path: string): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap((member: Schema.Json) => fieldsOf(member, path))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, member]) =>
    key === "properties" && isObject(member)
      ? Object.entries(member).flatMap(([name, field]) => {
        const inner = path === "" ? name : `${path}.${name}`
        return [inner, ...fieldsOf(field, inner)]
      })
      : fieldsOf(member, path)
  )
}

const isObject = (value: unknown): value is { readonly [field: string]: Schema.Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

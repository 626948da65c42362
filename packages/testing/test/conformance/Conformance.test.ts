import * as ErrorClasses from "@anthropic-ai/sdk/core/error-classes"
import type { RefusalStopDetails } from "@anthropic-ai/sdk/resources/messages"
import { errorTypes } from "@effect-claude/client/Classification"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { catalogue } from "./Catalogue.ts"
import { curlAll, described, type Transfer } from "./Curl.ts"
import type { Entry, Target } from "./Entry.ts"
import { withoutBeta } from "./ErrorCodes.ts"
import { factRows } from "./FactRows.ts"
import { independent, modelOf, official, officialHelper, own, type Seen } from "./Observation.ts"
import { makePlaces } from "./Places.ts"

const isUnreached = (entry: Entry): boolean => entry.step.kind === "unreachable"

/** One plan for all entries: each has a model of its own. */
const planOf = (entries: ReadonlyArray<Entry>) => ({
  models: Object.fromEntries(entries.map((entry) => [modelOf(entry), { after: entry.step }]))
})

/** Where a client meets an entry, if it can. */
type TargetOf = (entry: Entry) => Target | undefined

const overSocket = Effect.gen(function*() {
  const { url } = yield* FakeClaudeApi.make({ plan: planOf(catalogue.filter((entry) => !isUnreached(entry))) })
  const places = yield* makePlaces
  return (entry: Entry): Target | undefined => {
    const where = !isUnreached(entry) ? url : entry.place === undefined ? undefined : places[entry.place]
    return where === undefined ? undefined : { url: where, fetch: globalThis.fetch }
  }
})

const transports = {
  "over a socket": overSocket,
  "in memory": Effect.map(FakeClaudeApi.makeInMemory({ plan: planOf(catalogue) }), (target): TargetOf => () => target)
}

/** What was seen where it is not what the catalogue says. */
const differences = (seen: ReadonlyMap<Entry, string>, field: "sdk" | "ai" | "curl" | "own") =>
  Object.fromEntries(
    [...seen]
      .filter(([entry, what]) => what !== entry[field])
      .map(([entry, what]) => [entry.name, { seen: what, expected: entry[field] }])
  )

const canMeet = (entry: Entry, field: "sdk" | "ai" | "curl" | "own"): boolean => entry[field] !== "-"

const concurrency = 16

/** Long enough for the busiest machine, which may be slow but sees the same. */
const timeLimit = 120_000

const headersAreThere = (entry: Entry, headers: Seen["headers"]): void => {
  for (const [name, expected] of Object.entries(entry.headers ?? {})) {
    const value = headers(name) ?? ""
    if (expected instanceof RegExp) assert.match(value, expected, entry.name)
    else assert.strictEqual(value, expected, `${entry.name}: ${name}`)
  }
}

beforeAll(() => {
  Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
})

for (const [transport, makeTarget] of Object.entries(transports)) {
  describe(`every fault, ${transport}`, () => {
    const seeAll = (field: "sdk" | "ai" | "own", see: (entry: Entry, target: Target) => Effect.Effect<string>) =>
      Effect.gen(function*() {
        const targetOf = yield* makeTarget
        const met = catalogue.flatMap((entry) => {
          const target = canMeet(entry, field) ? targetOf(entry) : undefined
          return target === undefined ? [] : [{ entry, target }]
        })
        const seen = yield* Effect.forEach(
          met,
          ({ entry, target }) => Effect.map(see(entry, target), (what) => [entry, what] as const),
          {
            concurrency
          }
        )
        return new Map(seen)
      }).pipe(Effect.scoped)

    for (
      const [name, see, field] of [["the official SDK", official, "sdk"], ["the AI SDK", independent, "ai"]] as const
    ) {
      it.live(`through ${name}`, () =>
        Effect.gen(function*() {
          const seen = yield* seeAll(field, (entry, target) =>
            Effect.map(
              Effect.promise(() => see(entry, target)),
              ({ headers, requestIds, what }) => {
                if (requestIds !== undefined) {
                  assert.match(String(requestIds[0]), /^req_fake\d{20}$/, entry.name)
                  assert.strictEqual(requestIds[1], requestIds[0], entry.name)
                }
                if (/^\w+ [45]\d\d/.test(what)) headersAreThere(entry, headers)
                return withoutBeta(what)
              }
            ))
          assert.deepStrictEqual(differences(seen, field), {})
        }), timeLimit)
    }

    it.live("through the client of this repository", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(differences(yield* seeAll("own", own), "own"), {})
      }), timeLimit)
  })
}

describe("every fault of a stream, in memory", () => {
  it.live("through the stream helper of the official SDK", () =>
    Effect.gen(function*() {
      const target = yield* FakeClaudeApi.makeInMemory({ plan: planOf(catalogue) })
      const streamed = catalogue.filter((entry) => entry.stream === true && entry.leaves === undefined)
      const seen = yield* Effect.forEach(streamed, (entry) =>
        Effect.map(
          Effect.promise(() => officialHelper(entry, target)),
          (what) => [entry.name, what] as const
        ), { concurrency })
      assert.deepStrictEqual(
        Object.fromEntries(seen),
        Object.fromEntries(streamed.map(({ helper = "whole", name }) => [name, helper]))
      )
    }), timeLimit)
})

describe("every fault through curl", () => {
  it.live("exit code, status line, headers and body", () =>
    Effect.gen(function*() {
      const targetOf = yield* overSocket
      const met = catalogue.filter((entry) => canMeet(entry, "curl"))
      const transfers = yield* curlAll((entry) => targetOf(entry)?.url ?? "", met)
      const seen = new Map([...transfers].map(([entry, transfer]) => [entry, described(entry, transfer)]))
      assert.deepStrictEqual(differences(seen, "curl"), {})
      for (const [entry, transfer] of transfers) {
        if (entry.step.kind === "error") isExactError(entry, entry.step, transfer)
        if (entry.step.kind === "response") isExactResponse(entry, entry.step, transfer)
      }
      const healthy = [...transfers].find(([{ name }]) => name === "healthy answer")?.[1]
      assert.deepStrictEqual(headerNames(healthy), apiHeaders)
    }), timeLimit)
})

const ratelimits = ["requests", "tokens", "input-tokens", "output-tokens"].flatMap((name) =>
  ["limit", "remaining", "reset"].map((field) => `anthropic-ratelimit-${name}-${field}`)
)

/** The names of the headers of every answer of the API: its own, and those of any HTTP server. */
const apiHeaders = [
  "anthropic-organization-id",
  "anthropic-workspace-id",
  "connection",
  "content-length",
  "content-type",
  "date",
  "request-id",
  ...ratelimits
].toSorted()

const headerNames = (transfer: Transfer | undefined): ReadonlyArray<string> =>
  [...transfer?.headers.keys() ?? []].map((name) => name.toLowerCase()).toSorted()

const headerOf = ({ headers }: Transfer, name: string): string | undefined =>
  [...headers].find(([key]) => key.toLowerCase() === name)?.[1]

/** Byte for byte what the API sends with an error: its headers, and a body of these fields in this order. */
const isExactError = (
  entry: Entry,
  { error, headers, retryAt, status }: FaultStep.StepOf<"error">,
  transfer: Transfer
) => {
  const planned = [...Object.keys(headers ?? {}), ...(retryAt === undefined ? [] : ["retry-after"])]
  assert.match(transfer.statusLine, new RegExp(`^HTTP/1\\.1 ${status} `), entry.name)
  assert.deepStrictEqual(headerNames(transfer), [...new Set([...apiHeaders, ...planned])].toSorted(), entry.name)
  assert.strictEqual(headerOf(transfer, "content-type"), "application/json")
  for (const name of ratelimits) {
    const format = name.endsWith("reset") ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ : /^\d+$/
    assert.match(headerOf(transfer, name) ?? "", format, `${entry.name}: ${name}`)
  }
  headersAreThere(entry, (name) => headerOf(transfer, name) ?? null)
  const text = transfer.body.toString("utf8")
  const body = JSON.parse(text)
  const { details, message = body.error.message, type } = error
  const expected = {
    type: "error",
    error: { type, message, ...(details === undefined ? {} : { details }) },
    request_id: headerOf(transfer, "request-id")
  }
  assert.strictEqual(text, JSON.stringify(expected), entry.name)
  assert.isAbove(message.length, 0, entry.name)
}

/** A proxy adds nothing of the API. */
const isExactResponse = (entry: Entry, step: FaultStep.StepOf<"response">, transfer: Transfer) => {
  assert.deepStrictEqual(headerNames(transfer), ["connection", "content-length", "content-type", "date"], entry.name)
  assert.strictEqual(headerOf(transfer, "content-type"), step.contentType ?? "application/json", entry.name)
  assert.strictEqual(transfer.body.toString("utf8"), step.body ?? "", entry.name)
}

describe("the catalogue", () => {
  it("has every row of the facts", () => {
    assert.sameMembers([...new Set(catalogue.map(({ row }) => row))], [...factRows])
  })

  it("has every function of FaultStep", () => {
    const functions = Object.entries(FaultStep).flatMap(([name, value]) =>
      typeof value === "function" && name !== "FaultStep" ? [name] : []
    )
    const named = new Set<string>(catalogue.map(({ preset }) => preset))
    assert.deepStrictEqual(functions.filter((name) => !named.has(name)), [])
  })

  it("has every error code that the SDK has a class for, with its status", () => {
    const listed = catalogue.filter(({ row }) => row === "A error codes").map(({ sdk }) => {
      const [, status = "", , code = ""] = sdk.split(" ")
      return `${status} ${code}`
    })
    assert.sameMembers(listed, sdkCodes())
  })

  it("has an error event of every type, and every category of a refusal", () => {
    const types = new Set(
      catalogue.flatMap(({ step }) =>
        step.kind === "message" && step.interrupt?.how === "error" ? [step.interrupt.error?.type] : []
      )
    )
    for (const type of Object.keys(errorTypes)) assert.isTrue(types.has(type), type)
    const categories = catalogue.flatMap(({ step }) =>
      step.kind === "message" && step.stopDetails !== undefined ? [step.stopDetails.category] : []
    )
    assert.sameMembers([...new Set(categories)], [...refusalCategories, null])
  })

  it("names each entry once", () => {
    assert.strictEqual(new Set(catalogue.map(({ name }) => name)).size, catalogue.length)
  })

  it("is the table in docs/faults.md", () => {
    const page = readFileSync(new URL("../../../../docs/faults.md", import.meta.url), "utf8")
    const table = /\| fault +\|[^]*?\n\n/.exec(page)?.[0] ?? ""
    const rows = table.trim().split("\n").slice(2).map((line) => line.split(/ *(?<!\\)\| */).slice(1, -1))
    assert.deepStrictEqual(rows, documentedRows())
  })
})

/** Status and code of every class that the SDK has for a code, from a table that its types do not show. */
const sdkCodes = (): Array<unknown> => {
  const classes: unknown = Reflect.get(ErrorClasses, "ERROR_CODE_CLASSES")
  assert.instanceOf(classes, Map)
  return [...classes.keys()]
}

const refusalCategories: ReadonlyArray<NonNullable<RefusalStopDetails["category"]>> = [
  "cyber",
  "bio",
  "frontier_llm",
  "reasoning_extraction",
  "general_harms"
]

/** The table of the documentation; the error codes, which all look the same, are one row. */
const documentedRows = (): ReadonlyArray<ReadonlyArray<string>> => {
  const cell = (text: string) => text.replaceAll("|", "\\|")
  const [firstCode] = catalogue.filter(({ row }) => row === "A error codes")
  return catalogue
    .filter((entry) => entry.row !== "A error codes" || entry === firstCode)
    .map((entry) =>
      entry === firstCode
        ? [
          "any of the error codes",
          "`ofCode`",
          "the class of the code",
          "APICallError with status and type",
          "0 and the status",
          "by the code"
        ]
        : [cell(entry.name), `\`${entry.preset}\``, ...[entry.sdk, entry.ai, entry.curl, entry.own].map(cell)]
    )
}

import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { stripVTControlCharacters } from "node:util"
import type { Ending, Outcome } from "../src/internal/demo/Outcome.ts"
import * as report from "../src/internal/demo/report.ts"
import { run, RunningCommand } from "./RunningCommand.ts"

const OutcomeJson = Schema.Struct({
  ending: Schema.Literals(["answered", "failed", "wrong", "waiting"]),
  what: Schema.NonEmptyString,
  tag: Schema.NullOr(Schema.String),
  requests: Schema.Int,
  millis: Schema.Finite
})

const TotalsJson = Schema.Struct({
  answered: Schema.Int,
  failed: Schema.Int,
  wrong: Schema.Int,
  waiting: Schema.Int,
  requests: Schema.Int,
  millis: Schema.Finite
})

const decodeDemo = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({
  faults: Schema.Array(Schema.Struct({
    id: Schema.String,
    fault: Schema.String,
    sdk: OutcomeJson,
    effectClaude: OutcomeJson
  })),
  totals: Schema.Struct({ sdk: TotalsJson, effectClaude: TotalsJson })
})))

type Expected = readonly [ending: Ending, tag: string | null, requests: number]

// What the plain SDK makes of each fault, and what `ClaudeLayer.standard` does, as measured.
const expected: { readonly [id: string]: { readonly sdk: Expected; readonly ours: Expected } } = {
  "rate-limit": { sdk: ["answered", null, 2], ours: ["answered", null, 2] },
  // The wait is refused at once; the fallback model is asked, and says the same.
  "rate-limit-hour": { sdk: ["waiting", null, 1], ours: ["failed", "RateLimitError", 2] },
  "spend-limit": { sdk: ["failed", "EnforcedSpendLimitReachedError", 3], ours: ["failed", "SpendLimitError", 1] },
  "overload-storm": { sdk: ["failed", "OverloadedError", 3], ours: ["answered", null, 4] },
  "server-error": { sdk: ["answered", null, 3], ours: ["answered", null, 3] },
  "html-502": { sdk: ["answered", null, 2], ours: ["answered", null, 2] },
  "captive-portal": { sdk: ["wrong", null, 1], ours: ["answered", null, 2] },
  "reset": { sdk: ["answered", null, 2], ours: ["answered", null, 2] },
  "slow-first-byte": { sdk: ["answered", null, 1], ours: ["answered", null, 2] },
  "unauthorized": { sdk: ["failed", "AuthenticationError", 1], ours: ["failed", "AuthenticationError", 1] },
  "too-large": { sdk: ["failed", "ContentTooLargeError", 1], ours: ["failed", "RequestTooLargeError", 1] },
  "stalled-stream": { sdk: ["waiting", null, 1], ours: ["answered", null, 2] },
  "mid-stream-overload": { sdk: ["failed", "APIError", 1], ours: ["answered", null, 2] },
  "cut-stream": { sdk: ["failed", "TypeError", 1], ours: ["failed", "StreamInterruptedError", 1] },
  "missing-stop": { sdk: ["wrong", null, 1], ours: ["failed", "StreamInterruptedError", 1] }
}

const ended = ({ ending, requests, tag }: Outcome): Expected => [ending, tag, requests]

describe("effect-claude demo", () => {
  it.live(
    "meets every fault with both clients in under 30 seconds, as JSON and as a table",
    () =>
      Effect.gen(function*() {
        const start = performance.now()
        const { code, stderr, stdout } = yield* run(["demo", "--json"])
        const millis = performance.now() - start
        assert.strictEqual(stderr, "")
        assert.strictEqual(code, 0)
        assert.isBelow(millis, 30_000)

        const { faults, totals } = decodeDemo(stdout)
        assert.deepStrictEqual(
          Object.fromEntries(
            faults.map(({ effectClaude, id, sdk }) => [id, { sdk: ended(sdk), ours: ended(effectClaude) }])
          ),
          expected
        )
        const byId = new Map(faults.map((comparison) => [comparison.id, comparison.effectClaude]))
        const ours = (id: string): Outcome => {
          const outcome = byId.get(id)
          if (outcome === undefined) throw new Error(`no fault ${id}`)
          return outcome
        }
        assert.isAtLeast(ours("rate-limit").millis, 999)
        assert.isBelow(ours("rate-limit-hour").millis, 5000)
        assert.include(ours("rate-limit-hour").what, "wait 1h")
        assert.include(ours("overload-storm").what, "claude-haiku-5-5")
        assert.include(ours("cut-stream").what, "characters kept")

        const sums = { answered: 0, failed: 0, wrong: 0, waiting: 0, requests: 0, millis: 0 }
        for (const { effectClaude } of faults) {
          sums[effectClaude.ending]++
          sums.requests += effectClaude.requests
          sums.millis += effectClaude.millis
        }
        assert.deepStrictEqual(totals.effectClaude, sums)
        assert.strictEqual(totals.effectClaude.wrong + totals.effectClaude.waiting, 0)
        assert.deepStrictEqual(totals, report.totals(faults))

        const table = stripVTControlCharacters(report.toTable(faults)).split("\n")
        for (const { effectClaude, fault, sdk } of faults) {
          const row = table.find((line) => line.startsWith(fault)) ?? ""
          assert.include(row, sdk.what.slice(0, 30))
          assert.include(row, effectClaude.tag ?? "+ answer")
        }
        assert.match(
          table.at(-2) ?? "",
          /^plain SDK +: 5 answered, 6 failed .*, 2 wrong .*, 2 still waiting; 24 requests/
        )
        assert.match(
          table.at(-1) ?? "",
          /^effect-claude: 9 answered, 6 failed .*, 0 wrong .*, 0 still waiting; 28 requests/
        )
      }),
    60_000
  )

  it.live("shows each fault as it ends, and stops at once on SIGINT", () =>
    Effect.gen(function*() {
      const command = yield* RunningCommand.start(["demo"])
      const line = yield* command.printed(/\[ 1\/15\] .*\n/)
      assert.match(line, /^\[ 1\/15\] .+: SDK [+!x.], effect-claude [+!x.]\n$/)
      const start = performance.now()
      command.kill("SIGINT")
      const { code, stderr, stdout } = yield* command.ended
      assert.isBelow(performance.now() - start, 2000)
      assert.deepStrictEqual([code, stderr], [130, ""])
      assert.notInclude(stdout, "still waiting; ")
    }).pipe(Effect.scoped))
})

describe("effect-claude demo --live", () => {
  const apiWith = (plan: FaultPlan.FaultPlanInput) => FakeClaudeApi.make({ plan: FaultPlan.make(plan) })

  const runLive = (url: string, ...flags: ReadonlyArray<string>) =>
    run(["demo", "--live", ...flags], { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "sk-ant-CANARY" })

  it.live("makes one real call and prints the answer and who gave it", () =>
    Effect.gen(function*() {
      const api = yield* apiWith({ after: FaultStep.message({ text: "Hello to all of you." }) })
      const { code, stderr, stdout } = yield* runLive(api.url, "--model", "claude-opus-5-5")
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.match(
        stdout,
        /^Hello to all of you\.\nclaude-opus-5-5, \d+ tokens in, \d+ out, attempt 1, request req_fake\d+\n$/
      )
      const requests = yield* api.requests
      assert.deepStrictEqual(requests.map(({ path, status }) => [path, status]), [["/v1/messages", 200]])
    }).pipe(Effect.scoped))

  it.live("--json prints JSON and nothing else, also after a retry that was logged", () =>
    Effect.gen(function*() {
      const api = yield* apiWith({ steps: [FaultStep.htmlBadGateway()], after: FaultStep.message({ text: "Hello" }) })
      const { code, stderr, stdout } = yield* runLive(api.url, "--json")
      assert.strictEqual(code, 0)
      const answer: unknown = JSON.parse(stdout)
      assert.deepInclude(answer, { text: "Hello", attempt: 2 })
      assert.include(stderr, "InternalServerError")
      assert.notInclude(stdout + stderr, "CANARY")
    }).pipe(Effect.scoped))

  it.live("fails with a line that says why, and without the key in it", () =>
    Effect.gen(function*() {
      const api = yield* apiWith({ after: FaultStep.authentication() })
      const { code, stderr, stdout } = yield* runLive(api.url)
      assert.strictEqual(code, 1)
      assert.match(stderr, /^effect-claude: .*x-api-key/m)
      assert.notInclude(stdout + stderr, "CANARY")
      assert.notInclude(stderr, "    at ")
      assert.strictEqual((yield* api.requests).length, 1)
    }).pipe(Effect.scoped))

  it.live("--model without --live is refused, not ignored", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run(["demo", "--model", "claude-opus-5-5"])
      assert.strictEqual(code, 1)
      assert.include(stderr, "--model is the model of the real call: add --live")
    }))

  it.live("without a key says which one to set", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run(["demo", "--live"], { ANTHROPIC_API_KEY: "", ANTHROPIC_AUTH_TOKEN: "" })
      assert.strictEqual(code, 1)
      assert.match(stderr, /^effect-claude: Set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.*\n$/)
    }))
})

import { Anthropic } from "@anthropic-ai/sdk"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { run, RunningCommand } from "./RunningCommand.ts"

/** A file with this content, for as long as the scope lasts. */
const planFile = (content: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-claude-plan-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => {
      const file = join(folder, "plan.json")
      writeFileSync(file, content)
      return file
    }
  )

const portOf = (url: string): string => new URL(url).port

/** Starts the command and waits until it listens. */
const serve = (args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const command = yield* RunningCommand.start(["fake-api", ...args])
    const url = yield* command.printed(/http:\/\/127\.0\.0\.1:\d+(?=\n)/)
    return { command, url }
  })

const ask = (url: string, stream = false) => {
  const client = new Anthropic({ apiKey: "sk-ant-fake", baseURL: url, maxRetries: 0 })
  const request = {
    model: "claude-sonnet-5-5",
    max_tokens: 100,
    messages: [{ role: "user" as const, content: "Hello" }]
  }
  return Effect.promise(async () => {
    try {
      const answer = await client.messages.create({ ...request, stream })
      if (!("content" in answer)) return "stream"
      const [block] = answer.content
      return block?.type === "text" ? block.text : "no text"
    } catch (error) {
      return error instanceof Anthropic.APIError ? error.status : String(error)
    }
  })
}

describe("effect-claude fake-api", () => {
  it.live("takes a free port and answers without a plan", () =>
    Effect.gen(function*() {
      const { command, url } = yield* serve([])
      assert.strictEqual(yield* ask(url), "This answer comes from a fake Claude API.")
      const hint = yield* command.printed(/Try it: .*\n/)
      assert.include(hint, `ANTHROPIC_BASE_URL=${url} ANTHROPIC_API_KEY=`)
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}/_control`))).status, 404)
    }).pipe(Effect.scoped))

  it.live("fails as the file says, on the port it was given", () =>
    Effect.gen(function*() {
      // A port that was free a moment ago.
      const free = yield* Effect.scoped(Effect.map(FakeClaudeApi.make(), (api) => portOf(api.url)))
      const file = yield* planFile(JSON.stringify({
        steps: [
          { kind: "error", status: 529, error: { type: "overloaded_error" } },
          { kind: "response", status: 502, body: "<html></html>", contentType: "text/html" }
        ],
        after: { kind: "message", text: "Back again." }
      }))
      const { url } = yield* serve(["--port", free, "--faults", file])
      assert.strictEqual(portOf(url), free)
      const answers = [yield* ask(url), yield* ask(url), yield* ask(url), yield* ask(url)]
      assert.deepStrictEqual(answers, [529, 502, "Back again.", "Back again."])
    }).pipe(Effect.scoped))

  it.live("prints what it is asked, line by line", () =>
    Effect.gen(function*() {
      const file = yield* planFile(
        JSON.stringify({ steps: [{ kind: "error", status: 529, error: { type: "overloaded_error" } }] })
      )
      const { command, url } = yield* serve(["--faults", file, "--log"])
      yield* ask(url)
      yield* ask(url)
      yield* Effect.promise(() => fetch(`${url}/nowhere`, { method: "DELETE" }))
      const lines = yield* command.printed(/#1 .*\n#2 .*\n#3 .*\n/)
      assert.match(
        lines,
        new RegExp(
          [
            "#1 POST /v1/messages claude-sonnet-5-5 529 answered \\d+ ms",
            "#2 POST /v1/messages claude-sonnet-5-5 200 answered \\d+ ms",
            "#3 DELETE /nowhere - 404 answered \\d+ ms"
          ].join("\n")
        )
      )
    }).pipe(Effect.scoped))

  it.live("takes --plan and --seed, is programmed over HTTP with --control, and prints the requests of spaces with --log", () =>
    Effect.gen(function*() {
      const file = yield* planFile(JSON.stringify({ $schema: "./fault-plan.schema.json", seed: "of the file" }))
      const { command, url } = yield* serve(["--plan", file, "--seed", "another", "--control", "--log"])
      yield* command.printed(/Program it: curl http:.*\/_control\n/)
      const call = (method: string, path: string, body?: object) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/_control${path}`, {
            method,
            ...(body === undefined ? {} : { body: JSON.stringify(body) })
          })
          return response.text()
        })
      assert.deepStrictEqual(JSON.parse(yield* call("GET", "/plan")), {
        $schema: "./fault-plan.schema.json",
        seed: "another"
      })
      yield* call("PUT", "/plan", { steps: [{ kind: "message", text: "Programmed." }] })
      assert.strictEqual(yield* ask(url), "Programmed.")
      yield* call("POST", "/spaces", { id: "mine", plan: { after: { kind: "message", text: "Mine." } } })
      assert.strictEqual(yield* ask(`${url}/spaces/mine`), "Mine.")
      yield* command.printed(/\n#1 POST .* 200 answered .*\nmine #1 POST .* 200 answered .*\n/)
      assert.include(yield* call("GET", "/requests?ended=1"), "\"path\":\"/v1/messages\"")
    }).pipe(Effect.scoped))

  it.live("prints the JSON schema of plans with --schema, and nothing else", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(["fake-api", "--schema"])
      assert.deepStrictEqual([code, stderr], [0, ""])
      const published = readFileSync(
        fileURLToPath(import.meta.resolve("@effect-claude/testing/fault-plan.schema.json")),
        "utf8"
      )
      assert.deepStrictEqual(JSON.parse(stdout), JSON.parse(published))
    }))

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.live(`ends at once on ${signal}, a stalled stream or not, and says nothing`, () =>
      Effect.gen(function*() {
        const file = yield* planFile(JSON.stringify({ after: { kind: "message", interrupt: { how: "stall" } } }))
        const { command, url } = yield* serve(["--faults", file])
        assert.strictEqual(yield* ask(url, true), "stream")
        const start = performance.now()
        command.kill(signal)
        const { code, stderr, stdout } = yield* command.ended
        assert.isBelow(performance.now() - start, 2000)
        assert.strictEqual(code, 130)
        assert.strictEqual(stderr, "")
        assert.notInclude(stdout, "Error")
        const refused = yield* ask(url)
        assert.match(String(refused), /undefined|Connection/)
      }).pipe(Effect.scoped))
  }

  it.live("says in one line why it cannot start: the port is taken", () =>
    Effect.gen(function*() {
      const api = yield* FakeClaudeApi.make()
      const { code, stderr, stdout } = yield* run(["fake-api", "--port", portOf(api.url)])
      assert.strictEqual(code, 1)
      assert.strictEqual(
        stderr,
        `effect-claude: The fake Claude API cannot listen on port ${portOf(api.url)} (EADDRINUSE)\n`
      )
      assert.strictEqual(stdout, "")
    }).pipe(Effect.scoped))

  const badPlans: ReadonlyArray<readonly [name: string, content: string, says: RegExp]> = [
    ["no JSON", "{oops", /^effect-claude: .*plan\.json: Not JSON: .+\n$/],
    [
      "an unknown field",
      "{\"steps\":[{\"kind\":\"message\",\"dely\":5}]}",
      /plan\.json: steps\[0\]\.dely: Unknown field\n$/
    ],
    [
      "two mistakes",
      "{\"steps\":[{\"kind\":\"message\",\"delay\":-5}],\"after\":{\"kind\":\"message\",\"times\":2}}",
      /plan\.json: steps\[0\]\.delay: Expected .+\n.*after\.times: Expected no times.*\n$/
    ]
  ]
  for (const [name, content, says] of badPlans) {
    it.live(`refuses a file with ${name}, names it, and starts nothing`, () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* run(["fake-api", "--plan", yield* planFile(content)])
        assert.strictEqual(code, 1)
        assert.match(stderr, says)
        assert.strictEqual(stdout, "")
      }).pipe(Effect.scoped))
  }

  const badFlags: ReadonlyArray<readonly [args: ReadonlyArray<string>, says: RegExp]> = [
    [["--faults", "no-such-file.json"], /Path does not exist: .*no-such-file\.json/],
    [["--plan", "package.json", "--faults", "package.json"], /--faults is the older name of --plan/],
    [["--port", "65536"], /--port.*65536/],
    [["--port", "-1"], /--port.*-1/],
    [["--port", "4000.5"], /--port.*4000\.5/],
    [["--port", "http"], /--port.*http/],
    [["--prot", "4000"], /Unrecognized flag: --prot/]
  ]
  for (const [args, says] of badFlags) {
    it.live(`refuses ${args.join(" ")}`, () =>
      Effect.gen(function*() {
        const { code, stderr } = yield* run(["fake-api", ...args])
        assert.strictEqual(code, 1)
        assert.match(stderr, says)
      }))
  }
})

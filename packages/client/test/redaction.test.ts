import { APIConnectionError, APIError } from "@anthropic-ai/sdk"
import { ClaudeErrorJson } from "@effect-claude/client/ClaudeError"
import * as SdkFailure from "@effect-claude/client/SdkFailure"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { redact } from "../src/internal/redact.ts"

const key = "sk-ant-api03-Canary_Key-0123456789abcdef"
const token = "oauth+canary/token==0123456789"

const surround = (canary: string) => `A long text of the user, before ${canary} and some more of it after.`

const inMessages = "canaryOfMessages-71e0"
const inSystem = "Die Wörter ‚Kanarienvögel‘ im System"
const inTool = "canary of a tool's description"
const inInput = "canary_value_in_tool_input"
const inKey = "canaryKeyOfToolInput"
const multiline = "first\nline\tof \"canary\" text\\with\u0001 é漢字 <b>&amp;"

const request = {
  model: "claude-opus-5-5",
  max_tokens: 100,
  system: [{ type: "text", text: surround(inSystem) }],
  messages: [
    { role: "user", content: surround(inMessages) },
    {
      role: "assistant",
      content: [{ type: "tool_use", id: "toolu_1", name: "run", input: { id: inInput, [inKey]: 9184736251 } }]
    },
    {
      role: "user",
      content: [{ type: "text", text: multiline }, {
        type: "image",
        source: { type: "base64", data: "Q2FuYXJ5SW1hZ2VEYXRh" }
      }]
    }
  ],
  tools: [{
    name: "run",
    description: inTool,
    input_schema: {
      type: "object",
      properties: { id: { type: "string", description: "canary below a name of the API" } }
    }
  }]
}

const pythonEscaped = (text: string) =>
  JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const htmlEscaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(`"`, "&quot;").replaceAll("'", "&#39;")

// What must not be seen, and the words that would give it away.
const echoes: ReadonlyArray<readonly [string, string, ReadonlyArray<string>]> = [
  ["the API key", `invalid x-api-key: ${key}`, [key, "Canary_Key"]],
  ["the middle of the API key", `key ...${key.slice(10, 30)}...`, ["Canary_Key"]],
  ["an unknown API key", "invalid key sk-ant-other-Canary_Key", ["Canary_Key"]],
  ["a token", `bad token ${token}`, ["canary/token"]],
  ["an auth header", `authorization: Bearer canary.of.a.header`, ["canary"]],
  ["a basic auth header", `{"authorization":"Basic Y2FuYXJ5OmNhbmFyeQ=="}`, ["Y2FuYXJ5"]],
  ["a header of a cloud", `host:x\nx-amz-security-token:CanaryAmz0123\nx-y:z`, ["CanaryAmz"]],
  ["headers as JSON within JSON", `{\\"x-api-key\\":\\"canary-key-1\\"}`, ["canary"]],
  ["headers as pairs", `[["x-api-key","canary-key-1"]]`, ["canary"]],
  ["a URL with credentials", "cannot fetch https://user:canary@proxy.example/v1", ["canary", "user:"]],
  ["a URL with a user", "cannot fetch https://canary@proxy.example/v1", ["canary"]],
  ["a URL with an @ in its password", "https://user:can@ary@proxy.example/v1", ["can@", "ary"]],
  ["a header value", `Headers.append: "canary \n" quoted" is an invalid header value.`, ["canary", "quoted"]],
  ["a header value that is cut", `Headers.append: "${"canary".repeat(1000)}" is an invalid header value.`, ["canary"]],
  ["a whole message", `bad content: ${surround(inMessages)}`, [inMessages, "before"]],
  ["a part of a message", `near ${inMessages}`, [inMessages, "canaryOf"]],
  ["a message in quotes", `messages.0.content: "${surround(inMessages)}" is not allowed`, [inMessages]],
  ["a short word in quotes", `got '71e0'`, ["71e0"]],
  ["upper case", inMessages.toUpperCase(), [inMessages.toUpperCase()]],
  ["the system prompt", surround(inSystem), ["Kanarien", "Wörter"]],
  ["the system prompt, escaped", pythonEscaped(surround(inSystem)), ["Kanarien", "\\u00f6"]],
  ["a description of a tool", `tools.0: ${inTool}`, ["canary"]],
  ["a description below a name of the API", "canary below a name of the API", ["canary"]],
  ["tool input", `bad input ${inInput}`, ["canary"]],
  ["a key of tool input", `unexpected key ${inKey}`, ["canary"]],
  ["a number of tool input", "got 9184736251", ["9184736251"]],
  ["image data", "bad image Q2FuYXJ5SW1hZ2VEYXRh", ["Q2FuY"]],
  ["the whole request as JSON", JSON.stringify(request), ["canary", "Kanarien", "Q2FuY", "9184736251"]],
  ["the whole request as JSON in JSON", JSON.stringify(JSON.stringify(request)), [
    "canary",
    "Kanarien",
    "漢字",
    "9184736251"
  ]],
  ["lines, escaped", JSON.stringify(multiline), ["canary", "漢字", "\\u0001 é"]],
  ["lines, escaped to ASCII", pythonEscaped(multiline), ["canary", "6f22"]],
  ["lines, escaped twice", JSON.stringify(JSON.stringify(multiline)), ["canary", "漢字"]],
  ["lines, in HTML", htmlEscaped(multiline), ["canary", "漢字"]],
  ["echoes that overlap", `${inTool.slice(0, 20)}${inTool.slice(5)}`, ["description"]],
  ["echoes beyond the length of a message", `${"-".repeat(990)}${key}${surround(inMessages)}`, [
    "Canary",
    "canary",
    "sk-ant"
  ]]
]

const shown = (error: ReturnType<typeof SdkFailure.fromThrown>): ReadonlyArray<readonly [string, string]> => [
  ["toString", String(error)],
  ["stack", error.stack ?? ""],
  ["JSON.stringify", JSON.stringify(error)],
  ["inspect", inspect(error, { depth: 10, showHidden: true })],
  ["Cause.pretty", Cause.pretty(Cause.fail(error))],
  ["the schema's JSON", JSON.stringify(Schema.encodeSync(ClaudeErrorJson)(error))]
]

const context: SdkFailure.Context = { secrets: [key, token], request, model: "claude-opus-5-5" }
const headers = new Headers()

const ways: Readonly<Record<string, (echo: string) => unknown>> = {
  "the message": (echo) =>
    APIError.generate(400, { error: { type: "invalid_request_error", message: echo } }, undefined, headers),
  "details": (echo) =>
    APIError.generate(
      400,
      { error: { type: "x", message: "m", details: { error_code: "c", list: [{ deep: echo }] } } },
      undefined,
      headers
    ),
  "a key of the details": (echo) =>
    APIError.generate(400, { error: { type: "x", message: "m", details: { [echo]: 1 } } }, undefined, headers),
  "type and code": (echo) =>
    APIError.generate(500, { error: { type: echo, message: "m", details: { error_code: echo } } }, undefined, headers),
  "the id of the request": (echo) => APIError.generate(500, { request_id: echo }, undefined, headers),
  "a body that is text": (echo) => APIError.generate(502, undefined, echo, headers),
  "the title of a page": (echo) =>
    APIError.generate(502, undefined, `<html><title>${echo.replaceAll("<", "&lt;")}</title></html>`, headers),
  "a cause": (echo) =>
    new APIConnectionError({
      cause: new TypeError(echo, { cause: Object.assign(new Error(echo), { code: echo, request: echo }) })
    }),
  "an error of any kind": (echo) => Object.assign(new RangeError(echo), { name: echo, config: { headers: echo } }),
  "a broken event": (echo) => new SyntaxError(`Unexpected token in ${echo}`)
}

describe("no secret and no prompt in an error, when the echo comes as", () => {
  for (const [way, thrownFor] of Object.entries(ways)) {
    for (const [name, echo, canaries] of echoes) {
      it(`${way}: ${name}`, () => {
        const error = SdkFailure.fromThrown(thrownFor(echo), context)
        for (const [view, text] of shown(error)) {
          for (const canary of canaries) assert.notInclude(text, canary, view)
        }
      })
    }
  }
})

describe("redact", () => {
  const unchanged = [
    "messages: at least one message is required",
    "max_tokens: 300000 > 64000, which is the maximum allowed number of output tokens for claude-opus-5-5",
    "tools.0.input_schema.properties.id: 'type' must be one of \"string\", \"object\"",
    "This request would exceed your organization's rate limit of 50 requests per minute.",
    "invalid x-api-key",
    "Basic authentication is not supported; the bearer token is missing",
    "See https://platform.claude.com/docs/en/api/errors?x=1#y or mail a@b.example"
  ]
  for (const message of unchanged) {
    it(`leaves alone: ${message}`, () => assert.strictEqual(redact(message, context), message))
  }

  it("says where something was", () => {
    assert.strictEqual(
      redact(`messages.0: "${surround(inMessages)}" is bad`, context),
      `messages.0: "<prompt>." is bad`
    )
    assert.strictEqual(redact(`key ${key} is bad`, context), "key <redacted> is bad")
  })

  it("cuts a whole short prompt, and a very short one in quotes", () => {
    const short = (content: string) => ({ request: { messages: [{ role: "user", content }] } })
    assert.strictEqual(redact("bad word: hunter2!", short("hunter2")), "bad word: <prompt>!")
    assert.strictEqual(redact("context", short("text")), "context")
    assert.strictEqual(redact("to be or 'be'", short("be")), "to be or '<prompt>'")
    assert.strictEqual(redact("got 東京都", short("東京都")), "got <prompt>")
    assert.strictEqual(redact("anything goes", short("")), "anything goes")
    assert.strictEqual(redact("what??", short("??")), "what??")
  })

  it("copes with a request that is a circle, throws, or is nothing", () => {
    const circle: Record<string, unknown> = { content: "canary in a circle" }
    circle["self"] = circle
    const getter = Object.defineProperty({}, "x", {
      enumerable: true,
      get: () => {
        throw new Error("hands off")
      }
    })
    assert.strictEqual(redact("a canary in a circle", { request: [circle, getter] }), "a <prompt>")
    for (const request of [undefined, null, 5, "x", Symbol("s")]) {
      assert.strictEqual(redact("fine", { request }), "fine")
    }
  })

  it("is short, and never half a character", () => {
    assert.isAtMost(redact("x".repeat(100_000), {}).length, 1003)
    assert.isTrue(redact(`${"x".repeat(999)}👋`, {}).isWellFormed())
  })

  it.effect("leaves no run of twelve letters of any prompt, however it is quoted", () =>
    Effect.gen(function*() {
      const alphabet = [...Array.from("abcXYZ019 \n\t\"'\\<>&é漢👋"), "\\n", "\\u00e9", "&amp;", "&#39;"]
      const randomText = Effect.gen(function*() {
        let text = ""
        for (let i = 0; i < 60; i++) text += yield* Effect.orDie(Random.choice(alphabet))
        return text
      })
      const quote = [(text: string) => text, JSON.stringify, pythonEscaped, (text: string) =>
        JSON.stringify(JSON.stringify(text))]
      for (let run = 0; run < 500; run++) {
        const content = `${yield* randomText}canaryOfTheRun${yield* randomText}`
        const from = yield* Random.nextIntBetween(0, 40)
        const echo = (yield* Effect.orDie(Random.choice(quote)))(content.slice(from, content.length - from))
        const clean = redact(`bad value ${echo} here`, { request: { messages: [{ role: "user", content }] } })
        assert.notInclude(clean, "canaryOfTheRun")
      }
    }).pipe(Random.withSeed("echoes")))
})

describe("input that is hard to search", () => {
  const prompt = (content: unknown) => ({ request: { messages: [{ role: "user", content }] }, secrets: [key] })
  const size = 30_000_000
  const words = Array.from({ length: 997 }, (_, index) => `word${index * index}`).join(" ")
  const book = words.repeat(Math.ceil(size / words.length))
  const hard: ReadonlyArray<readonly [string, string, unknown]> = [
    ["a prompt of 30 MB and a long message", "nothing of it is in here, ".repeat(400), book],
    ["an echo of 30 MB", book, book],
    ["one letter, again and again", "a".repeat(5000), "a".repeat(size)],
    ["backslashes", `${"\\".repeat(3000)} and some words`, "\\".repeat(size)],
    ["ampersands", `${"&".repeat(3000)} and some words`, "&".repeat(size)],
    ["a pattern that nearly fits", "abcdefghijk1".repeat(400), "abcdefghijk2".repeat(size / 12)],
    ["quotes", "'a-1' \"b-2\" ".repeat(500), book],
    [
      "a hundred thousand small prompts",
      "nothing of it is in here, ".repeat(100),
      Array.from({ length: 100_000 }, (_, index) => ({ type: "text", text: `w${index}` }))
    ],
    ["slashes and names of secrets", "//token-secret-password=".repeat(300), "x"],
    ["hyphens", "a-".repeat(3000), "x"]
  ]
  for (const [name, message, content] of hard) {
    // A search that compares letter by letter takes minutes for each, past the time that a test has.
    it(`comes to an end for ${name}`, () => {
      assert.isAtMost(redact(message, prompt(content)).length, message.length + 100)
    })
  }

  it("still finds an echo in 30 MB", () => {
    assert.strictEqual(redact(`bad: ${words.slice(40, 400)}!`, prompt(book)).match(/word\d/), null)
  })
})

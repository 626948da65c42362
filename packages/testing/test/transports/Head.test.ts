import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { exchangeOverTcp } from "../FakeClaudeApi.rawClient.ts"

describe("a connection that breaks in the head of an answer", () => {
  for (const [how, ended] of [["reset", "reset"], ["close", "closed"]] as const) {
    it.live(`${how} after as many bytes as the step says`, () =>
      Effect.gen(function*() {
        const api = yield* FakeClaudeApi.make({
          plan: {
            steps: [8, 40, 100_000].map((afterBytes) => FaultStep.disconnect({ how, afterBytes }))
          }
        })
        assert.deepStrictEqual(yield* exchangeOverTcp(api.url), { text: "HTTP/1.1", ended })
        assert.deepStrictEqual(yield* exchangeOverTcp(api.url), {
          text: "HTTP/1.1 200 OK\r\ncontent-type: applicati",
          ended
        })
        const all = yield* exchangeOverTcp(api.url)
        assert.match(all.text, /^HTTP\/1\.1 200 OK\r\ncontent-type: .*\r\nrequest-id: [^]*[^\n]\r\n$/)
        assert.strictEqual(all.ended, ended)
        assert.deepStrictEqual((yield* api.awaitEnded(3)).map(({ did, outcome, status }) => [did, outcome, status]), [
          [`disconnect ${how} after 8 bytes`, "cut", undefined],
          [`disconnect ${how} after 40 bytes`, "cut", undefined],
          [`disconnect ${how} after 100000 bytes`, "cut", undefined]
        ])
      }).pipe(Effect.scoped))
  }

  it("is no garbage", () => {
    assert.throws(
      () => FaultStep.disconnect({ how: "garbage", afterBytes: 8 }),
      RangeError,
      /afterBytes: Expected no afterBytes/
    )
  })
})

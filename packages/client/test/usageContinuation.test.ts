import { StreamInterruptedError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as UsageLedger from "@effect-claude/client/UsageLedger"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { CurrentUsageScope } from "../src/internal/callContext.ts"
import { combinator, stateless } from "../src/internal/layer/PolicyLayer.ts"

const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "Hello" }]
}

const events = (text: string, inputTokens: number) =>
  MessageEvents.fromMessage(Reply.message(text, { id: text, usage: { input_tokens: inputTokens, output_tokens: 10 } }))

/** Each stream breaks off after its first piece, but the last. */
const breaking = (parts: number) => {
  let sent = 0
  return Layer.sync(ClaudeService, () => ({
    createMessage: () => Effect.never,
    countTokens: () => Effect.never,
    streamMessage: () =>
      Stream.suspend(() => {
        sent += 1
        const all = Stream.fromIterable(events(`part ${sent}`, sent))
        return sent === parts
          ? all
          : Stream.concat(Stream.take(all, 3), Stream.fail(new StreamInterruptedError({ message: "cut" })))
      })
  }))
}

/** Goes on with what broke off, as far as the ledger can see of it. */
const continuing = (inner: ClaudeServiceShape): ClaudeServiceShape => {
  const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
    Stream.catchTag(
      inner.streamMessage(request, call),
      "StreamInterruptedError",
      () =>
        Stream.unwrap(Effect.map(CurrentUsageScope, (scope) => {
          scope?.continued()
          return streamMessage(request, call)
        }))
    )
  return { ...inner, streamMessage }
}

describe("a stream that is continued", () => {
  it.effect("is answered by all of its parts", () =>
    Effect.gen(function*() {
      const inner = yield* UsageLedger.make()
      const outer = yield* UsageLedger.make()
      const seen: Array<UsageLedger.UsageEntry> = []
      yield* Effect.forkScoped(
        Stream.runForEach(inner.entries, (entry) => Effect.sync(() => seen.push(entry))),
        { startImmediately: true }
      )
      const Claude = breaking(3).pipe(
        combinator([stateless({ name: "continuing", options: {}, wrap: continuing })]),
        ClaudeLayer.withUsageLedger({ ledger: inner }),
        ClaudeLayer.withUsageLedger({ ledger: outer })
      )
      yield* Effect.provide(
        Effect.flatMap(ClaudeService, (claude) => Stream.runDrain(claude.streamMessage(request))),
        Claude
      )
      yield* Effect.yieldNow
      assert.deepStrictEqual(seen.map(({ outcome, reason }) => [reason, outcome]), [
        ["first", "answered"],
        ["continuation", "answered"],
        ["continuation", "answered"]
      ])
      assert.deepStrictEqual(seen.map(({ usage }) => usage.inputTokens), [1, 2, 3])
      for (const ledger of [inner, outer]) {
        assert.deepInclude(yield* ledger.totals, { calls: 1, attempts: 3, estimated: 2, wastedShare: 0 })
      }
    }).pipe(Effect.scoped))
})

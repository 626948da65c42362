import type * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Reached, request, seenByFetch, transports } from "./support.ts"

const count = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const Case = Schema.Struct({
  words: Schema.Array(Schema.Literals(["one ", "Grüße", "🎉", "\n", "日本語 ", "\"\\", " "])),
  chunkBytes: count(40),
  how: Schema.Literals(["none", "reset", "close", "end", "error"]),
  after: count(5),
  inBytes: Schema.Boolean,
  pings: count(3),
  stream: Schema.Boolean,
  body: Schema.Literals(["message", "html", "error"])
})

const interruptionOf = ({ after, how, inBytes }: typeof Case.Type) =>
  how === "none"
    ? {}
    : how === "error"
    ? { interrupt: { how, afterEvents: after } }
    : { interrupt: inBytes ? { how, afterBytes: after * 90 } : { how, afterEvents: after } }

const stepOf = (drawn: typeof Case.Type): FaultStep.FaultStepInput => {
  const { body, chunkBytes, pings, words } = drawn
  const text = words.join("")
  const pieces = chunkBytes === 0 ? {} : { chunkBytes }
  if (body === "html") return { kind: "response", status: 502, contentType: "text/html", body: text, ...pieces }
  if (body === "error") return { kind: "error", status: 529, error: { type: "overloaded_error", message: text } }
  return {
    kind: "message",
    text,
    ...pieces,
    ...(pings === 0 ? {} : { insert: [{ kind: "ping", count: pings }] }),
    ...interruptionOf(drawn)
  }
}

describe("the bytes of a body are the same on both transports", () => {
  it.live.prop(
    "whatever the step",
    [Case],
    ([drawn]) =>
      Effect.scoped(Effect.gen(function*() {
        const plan = { after: stepOf(drawn) }
        const seen = []
        for (const serve of [transports.socket, transports.memory]) {
          const api: Reached = yield* serve(plan)
          const answer = yield* seenByFetch(api, { ...request, stream: drawn.stream })
          yield* api.awaitEnded(1)
          seen.push({ answer, journal: yield* api.journal })
        }
        assert.deepStrictEqual(seen[1], seen[0])
      })),
    { arbitrary: { runs: 60, seed: 20_261_126 } }
  )
})

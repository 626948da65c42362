import * as ClaudeError from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Reply from "@effect-claude/testing/Reply"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { line } from "./compare.ts"
import { heap, kilobytes } from "./heap.ts"
import { request } from "./stubs.ts"

const rounds = 6
const callsEach = 100_000
const keysEach = 10_000

const message = Reply.message("Hello!")

// Nine in ten succeed, one is overloaded, and every twentieth never answers.
const fragile = (): ClaudeServiceShape => {
  let attempts = 0
  return {
    createMessage: ({ model }) =>
      Effect.suspend(() => {
        const lot = attempts++ % 20
        if (lot === 7) return Effect.never
        return lot === 13
          ? Effect.fail(new ClaudeError.OverloadedError({ message: "Overloaded", status: 529, model }))
          : Effect.succeed(message)
      }),
    streamMessage: () => Stream.empty,
    countTokens: () => Effect.succeed({ input_tokens: 1 })
  }
}

const silent = Logger.layer([Logger.make(() => undefined)])

/** The heap after rounds of 100,000 calls, each over 10,000 models that were never asked before. */
export const benchKeys = (): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(
    Effect.scoped(Effect.gen(function*() {
      const pipeline = ClaudeLayer.standard({
        deadline: "100 millis",
        attemptTimeout: { attempt: "5 millis", firstEvent: "5 millis", idle: "5 millis", stream: "5 millis" }
      })
      const claude = Context.get(
        yield* Layer.build(Layer.succeed(ClaudeService, fragile()).pipe(pipeline)),
        ClaudeService
      )
      const rows = [line("calls so far", "heap", "since round 1")]
      let first = 0
      for (let round = 1; round <= rounds; round++) {
        const call = (index: number) =>
          Effect.exit(claude.createMessage({ ...request, model: `model-${round}-${index % keysEach}` }))
        yield* Effect.forEach(Array.from({ length: callsEach }, (_, index) => index), call, {
          concurrency: 500,
          discard: true
        })
        const now = yield* Effect.promise(heap)
        if (round === 1) first = now
        rows.push(line((round * callsEach).toLocaleString("en"), kilobytes(now), kilobytes(now - first)))
      }
      return rows
    })).pipe(Effect.provide(silent))
  )

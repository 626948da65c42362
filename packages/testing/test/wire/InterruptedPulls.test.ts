import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { quickPipeline, request, withWire } from "./support.ts"

const text = "Whoever asks again and again gets every word once."

it.live("a consumer that gives up single pulls of a slow stream has all of it in the end", () =>
  withWire(
    { after: FaultStep.message({ text, eventDelay: "20 millis" }) },
    ({ api, claude }) =>
      Effect.scoped(Effect.gen(function*() {
        const pull = yield* Stream.toPull(MessageEvents.text(claude.streamMessage(request)))
        // Before the headers a pull is the request, and giving it up aborts that.
        let said = (yield* pull).join("")
        while (true) {
          const exit = yield* Effect.exit(Effect.timeoutOption(pull, "5 millis"))
          if (exit._tag === "Failure") {
            assert.isTrue(Cause.isDone(Cause.squash(exit.cause)))
            break
          }
          if (Option.isSome(exit.value)) said += exit.value.value.join("")
        }
        assert.strictEqual(said, text)
        assert.lengthOf(yield* api.requests, 1)
      })),
    quickPipeline()
  ))

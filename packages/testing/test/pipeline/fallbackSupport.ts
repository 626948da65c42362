import type * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import * as Effect from "effect/Effect"
import { calls } from "./support.ts"

/** The models that were asked, in order. */
export const asked = Effect.map(calls, (all) => all.map((call) => call.request.model))

/** Each target that was passed over, with its error's tag or the reason it was skipped for. */
export const why = ({ passedOver }: AnswerInfo.AnswerInfo) =>
  passedOver.map(({ error, reason, target }) => [target, error?._tag ?? reason])

import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

let made = 0

/** An id that nobody else has: random, and counted, since programs under equal seeds would get equal ones. */
export const uniqueId: Effect.Effect<string> = Effect.map(
  Effect.all([word(), word(), word(), word()]),
  (words) => `${words.join("")}-${(++made).toString(36)}`
)

function word(): Effect.Effect<string> {
  return Effect.map(Random.nextIntBetween(0, 0xffff_ffff), (bits) => bits.toString(16).padStart(8, "0"))
}

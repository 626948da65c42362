import * as Effect from "effect/Effect"
import { awaited, type Contestant, inOneFiber, inOwnFibers } from "./compare.ts"
import { cockatiel, effectByHand, pRetryOpossum } from "./peers.ts"
import { toolkit } from "./toolkit.ts"

const answer = Effect.succeed(1)
const promised = () => Promise.resolve(1)

/** Retry, breaker and timeout around an immediate success, put together for each call as a program does. */
export const policies = Effect.gen(function*() {
  const guarded = yield* toolkit
  const byHand = yield* effectByHand
  const guardedByCockatiel = cockatiel()
  const ours = Effect.suspend(() => guarded(answer))
  const contestants: ReadonlyArray<Contestant> = [
    awaited("cockatiel", () => guardedByCockatiel(promised)),
    awaited("p-retry around opossum", pRetryOpossum(promised)),
    inOneFiber("Effect's own pieces, in a fiber", Effect.suspend(() => byHand(answer))),
    inOneFiber("this toolkit, in a fiber", ours),
    inOwnFibers("this toolkit, Effect.runPromise for each", ours),
    inOneFiber("no policy, in a fiber", answer)
  ]
  return contestants
})

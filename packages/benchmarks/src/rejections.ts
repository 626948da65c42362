import * as Effect from "effect/Effect"
import { awaited, type Contestant, inOneFiber } from "./compare.ts"
import { cockatielOpen, effectOpen, opossumOpen } from "./peers.ts"
import { toolkitOpen } from "./toolkit.ts"

const answer = Effect.succeed(1)
const promised = () => Promise.resolve(1)
const ignore = () => undefined

/** A call that an open circuit turns away, the error caught. */
export const rejections = Effect.gen(function*() {
  const breaker = yield* toolkitOpen
  const effectBreaker = yield* effectOpen
  const cockatielBreaker = cockatielOpen()
  const opossumBreaker = opossumOpen(promised)
  const ours = Effect.suspend(() => breaker.execute(answer, { key: "model" }))
  const contestants: ReadonlyArray<Contestant> = [
    awaited("cockatiel", () => cockatielBreaker(promised).catch(ignore)),
    awaited("opossum", () => opossumBreaker().catch(ignore)),
    inOneFiber("Effect's CircuitBreaker", Effect.result(Effect.suspend(() => effectBreaker(answer)))),
    inOneFiber("this toolkit", Effect.result(ours)),
    inOneFiber(
      "this toolkit, orElse another value",
      Effect.result(Effect.suspend(() => breaker.execute(answer, { key: "model", orElse: ignore })))
    )
  ]
  return contestants
})

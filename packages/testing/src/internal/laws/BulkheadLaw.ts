import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type { Arrival } from "./Arrivals.ts"
import { arrivals, nothingHeld, play, timesOf } from "./Arrivals.ts"
import { settle } from "./Case.ts"
import { ask } from "./GatedCall.ts"
import type { Law } from "./Law.ts"
import * as Subject from "./Subject.ts"

interface Promises {
  readonly limit: number
}

// A bulkhead knows no time of its own; calls take a part of this, or twice as long.
const unit = 1000

export const make = <E, E2>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  { limit }: Promises
): Law<{ readonly list: ReadonlyArray<Arrival> }> => ({
  name: "bulkhead",
  input: Arbitrary.all({ list: arrivals(unit, limit) }),
  mustSee: { held: nothingHeld },
  run: ({ list }, trial) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      let most = 0
      const calls = yield* play(list, timesOf(list), 3 * unit * (list.length + 1), {
        policy,
        trial,
        givesUpWhileRunning: true,
        onStart: (begun) =>
          Effect.sync(() => {
            most = Math.max(most, begun.filter(({ running }) => running).length)
          })
      })
      yield* trial.promise(most <= limit, `${most} calls run at once, and ${limit} may`)
      for (const call of calls) {
        if (call === undefined) continue
        yield* trial.promise(
          !call.isWaiting,
          `${call.name} is neither let through nor turned away, however long it waits`
        )
        yield* trial.promise(!call.running, `${call.name} runs on after its caller has gone`)
        const waited = call.startedAt !== undefined && call.startedAt > call.askedAt
        if (waited || call.isTurnedAway) trial.see("held")
      }
      for (let i = 0; i < limit; i++) {
        const call = yield* ask(policy, `call ${list.length + i + 1}`, trial)
        yield* settle
        yield* trial.promise(
          call.running,
          `a place is lost: nothing runs but ${i} calls that came just now, and ${call.name} is not let through`
        )
      }
    })
})

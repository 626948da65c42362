import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import type { Arrival } from "./Arrivals.ts"
import { arrivals, nothingHeld, play, timesOf } from "./Arrivals.ts"
import { Case, tolerance } from "./Case.ts"
import type { GatedCall } from "./GatedCall.ts"
import type { Law } from "./Law.ts"
import * as Subject from "./Subject.ts"

interface Promises {
  readonly limit: number
  readonly window: number
  /** How much later than without the calls that were given up another one may start. */
  readonly slack: number
}

const checkWindows = (calls: ReadonlyArray<GatedCall>, { limit, window }: Promises, trial: Case) =>
  Effect.gen(function*() {
    const starts = calls.flatMap(({ name, startedAt: at }) => at === undefined ? [] : [{ name, at }])
      .sort((left, right) => left.at - right.at)
    for (const [index, first] of starts.entries()) {
      const last = starts[index + limit]
      yield* trial.promise(
        last === undefined || last.at - first.at + tolerance >= window,
        `${limit + 1} calls are let through within ${window} ms, from ${first.name} to ${last?.name ?? ""}`
      )
    }
  })

export const make = <E, E2>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  promises: Promises
): Law<{ readonly list: ReadonlyArray<Arrival> }> => {
  const { limit, slack, window } = promises
  const run = (list: ReadonlyArray<Arrival | undefined>, times: ReadonlyArray<number>, trial: Case) =>
    Effect.gen(function*() {
      const policy = yield* Subject.make(subject)
      const patience = window * (Math.ceil(list.length / limit) + 4)
      return yield* play(list, times, patience, { policy, trial, givesUpWhileRunning: false })
      // The two runs of a case draw the same.
    }).pipe(Random.withSeed("arrivals"))
  return {
    name: "rateLimiter",
    input: Arbitrary.all({ list: arrivals(window, limit) }),
    mustSee: { held: nothingHeld },
    run: ({ list }, trial) =>
      Effect.gen(function*() {
        const times = timesOf(list)
        const calls = (yield* run(list, times, trial)).filter((call) => call !== undefined)
        yield* checkWindows(calls, promises, trial)
        for (const call of calls) {
          yield* trial.promise(
            !call.isWaiting,
            `${call.name} is neither let through nor turned away, however long it waits`
          )
          const waited = call.startedAt !== undefined && call.startedAt > call.askedAt
          if (waited || call.isTurnedAway) trial.see("held")
        }
        // Whoever gave up while it waited was never let through, so nobody else may come later for its sake.
        const without = list.map((arrival, index) =>
          calls[index]?.startedAt === undefined && arrival.givesUpAfter !== undefined
            ? undefined
            : { ...arrival, givesUpAfter: undefined }
        )
        if (!without.includes(undefined)) return
        const others = yield* run(without, times, new Case(new Map())).pipe(
          Effect.scoped,
          Effect.provide(TestClock.layer())
        )
        for (const [index, other] of others.entries()) {
          const call = calls[index]
          if (other?.startedAt === undefined || call?.startedAt === undefined) continue
          trial.see("compared")
          const later = call.startedAt - other.startedAt
          yield* trial.promise(
            later <= slack + tolerance,
            `what an interrupted wait took is not given back: ${call.name} starts ${later} ms later than without the calls that were given up`
          )
        }
      })
  }
}

import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { Broken, Case } from "./Case.ts"
import { ask, type GatedCall } from "./GatedCall.ts"
import { oneOf } from "./oneOf.ts"
import type { Policy } from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

/** A call that comes some time after the one before. Times are in milliseconds. */
export interface Arrival {
  readonly after: number
  readonly takes: number
  readonly fails: boolean
  /** When its caller loses interest, counted from when it comes. */
  readonly givesUpAfter: number | undefined
}

/** A limit up to this is reached by calls that come one by one, as chance has it. */
const mostAlone = 8

/** A limit up to this is reached by a crowd beside them. One that is higher would make the cases too slow. */
const largestCrowd = 100

/** Says of a law that no case reached the limit. */
export const nothingHeld =
  `no call had to wait and none was turned away, so the policy that was given limits nothing, or its limit `
  + `is too high to be tried (more than ${largestCrowd})`

/**
 * Calls that come in bursts and after silences, up to and beyond `limit` of them; `unit` is the time that the policy thinks in, in
 * milliseconds.
 */
export const arrivals = (unit: number, limit: number): Arbitrary.Arbitrary<ReadonlyArray<Arrival>> => {
  const alone = Arbitrary.array(
    Arbitrary.map(
      Arbitrary.all({
        after: oneOf(0, 0, 0, 0, 0.01, 0.1, 0.5, 1, 1.5),
        takes: oneOf(0, 0.05, 0.3, 2),
        fails: oneOf(false, true),
        givesUpAfter: oneOf("never", "never", "never", 0.02, 0.2, 0.7)
      }),
      ({ after, fails, givesUpAfter, takes }): Arrival => ({
        after: after * unit,
        takes: takes * unit,
        fails,
        givesUpAfter: typeof givesUpAfter === "number" ? givesUpAfter * unit : undefined
      })
    ),
    { maxLength: Math.min(2 * limit + 8, 40) }
  )
  if (limit <= mostAlone || limit > largestCrowd) return alone
  const one: Arrival = { after: 0, takes: 2 * unit, fails: false, givesUpAfter: undefined }
  const crowd = Array.from({ length: limit }, () => one)
  return Arbitrary.map(
    Arbitrary.all({ alone, comes: oneOf(false, true) }),
    ({ alone, comes }) => comes ? [...crowd, ...alone] : alone
  )
}

interface PlayOptions<E> {
  readonly policy: Policy<E>
  readonly trial: Case
  /** Whether a caller loses interest in a call that is let through already. */
  readonly givesUpWhileRunning: boolean
  /** Called whenever a call is let through. */
  readonly onStart?: ((calls: ReadonlyArray<GatedCall>) => Effect.Effect<void>) | undefined
}

/** Lets calls come, and passes as much time as all of them need; `undefined` in their place leaves a call out. */
export const play = <E>(
  list: ReadonlyArray<Arrival | undefined>,
  times: ReadonlyArray<number>,
  patience: number,
  options: PlayOptions<E>
): Effect.Effect<ReadonlyArray<GatedCall | undefined>, Broken, Scope.Scope> =>
  Effect.gen(function*() {
    const { givesUpWhileRunning, onStart, policy, trial } = options
    const calls: Array<GatedCall | undefined> = []
    let now = 0
    for (const [index, arrival] of list.entries()) {
      const time = times[index] ?? now
      if (time > now) yield* TestClock.adjust(time - now)
      now = time
      if (arrival === undefined) {
        calls.push(undefined)
        continue
      }
      const work = Effect.gen(function*() {
        yield* onStart?.(calls.filter((call) => call !== undefined)) ?? Effect.void
        if (arrival.takes > 0) yield* Effect.sleep(arrival.takes)
        return yield* arrival.fails ? Effect.fail(Trouble.make("InternalServerError")) : Effect.succeed("answer")
      })
      const name = `call ${index + 1}`
      const call = yield* ask(policy, name, trial, work)
      calls.push(call)
      if (arrival.givesUpAfter !== undefined) {
        yield* Effect.sleep(arrival.givesUpAfter).pipe(
          Effect.andThen(Effect.suspend(() => {
            if (call.exit !== undefined || (call.running && !givesUpWhileRunning)) return Effect.void
            trial.see(call.running ? "interrupted calls" : "interrupted waits")
            call.fiber?.interruptUnsafe()
            return trial.tell(`the caller of ${name} interrupts it`)
          })),
          Effect.forkScoped({ startImmediately: true })
        )
      }
    }
    yield* TestClock.adjust(patience)
    return calls
  })

/** When each call comes. */
export const timesOf = (list: ReadonlyArray<Arrival>): ReadonlyArray<number> => {
  let now = 0
  return list.map(({ after }) => (now += after))
}

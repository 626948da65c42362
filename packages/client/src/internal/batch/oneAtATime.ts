import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { BatchLedger } from "../../BatchLedger.ts"

interface Place {
  readonly lock: Semaphore.Semaphore
  users: number
}

const placesOf = new WeakMap<BatchLedger, Map<string, Place>>()

const enter = (ledger: BatchLedger, key: string): Place => {
  const places = placesOf.get(ledger) ?? new Map<string, Place>()
  placesOf.set(ledger, places)
  const place = places.get(key) ?? { lock: Semaphore.makeUnsafe(1), users: 0 }
  places.set(key, place)
  place.users++
  return place
}

const leave = (ledger: BatchLedger, key: string, place: Place): void => {
  place.users--
  if (place.users === 0) placesOf.get(ledger)?.delete(key)
}

/**
 * Submits the same work once at a time in this process. An entry without an id does not tell whether its submission was broken off
 * or is under way, and one that is under way takes as long as an upload and its retries do. Who is not `patient` does not
 * wait, and finds the entry.
 */
export const oneAtATime = <A, E, R>(
  submission: Effect.Effect<A, E, R>,
  options: { readonly ledger: BatchLedger; readonly key: string; readonly isPatient: boolean }
): Effect.Effect<A, E, R> => {
  const { isPatient, key, ledger } = options
  return Effect.acquireUseRelease(
    Effect.sync(() => enter(ledger, key)),
    ({ lock }) =>
      isPatient
        ? lock.withPermits(1)(submission)
        : Effect.flatMap(
          lock.withPermitsIfAvailable(1)(submission),
          Option.match({ onNone: () => submission, onSome: (done) => Effect.succeed(done) })
        ),
    (place) => Effect.sync(() => leave(ledger, key, place))
  )
}

import {
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  timeout,
  TimeoutStrategy,
  wrap
} from "cockatiel"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"
import Opossum from "opossum"
import pRetry from "p-retry"

// The same numbers for everyone, as far as each has them.
export const failures = 5
export const openFor = Duration.minutes(1)
export const attemptTimeout = Duration.minutes(2)
export const retries = 2

const cockatielBreaker = () =>
  circuitBreaker(handleAll, {
    halfOpenAfter: Duration.toMillis(openFor),
    breaker: new ConsecutiveBreaker(failures)
  })

/** cockatiel: retry, breaker and timeout. */
export const cockatiel = () => {
  const policy = wrap(
    retry(handleAll, { maxAttempts: retries, backoff: new ExponentialBackoff() }),
    cockatielBreaker(),
    timeout(Duration.toMillis(attemptTimeout), TimeoutStrategy.Cooperative)
  )
  return (action: () => Promise<unknown>) => policy.execute(action)
}

/** cockatiel's breaker, opened by hand. */
export const cockatielOpen = () => {
  const breaker = cockatielBreaker()
  breaker.isolate()
  return (action: () => Promise<unknown>) => breaker.execute(action)
}

const opossum = (action: () => Promise<unknown>) =>
  new Opossum(action, {
    timeout: Duration.toMillis(attemptTimeout),
    resetTimeout: Duration.toMillis(openFor),
    errorThresholdPercentage: 50,
    volumeThreshold: failures
  })

/** p-retry around opossum, which is breaker and timeout in one. */
export const pRetryOpossum = (action: () => Promise<unknown>) => {
  const breaker = opossum(action)
  return () => pRetry(() => breaker.fire(), { retries })
}

/** opossum, opened by hand. */
export const opossumOpen = (action: () => Promise<unknown>) => {
  const breaker = opossum(action)
  breaker.open()
  return () => breaker.fire()
}

const effectBreaker = Effect.gen(function*() {
  const store = yield* Layer.build(CircuitBreaker.layerStoreMemory())
  const options = { tripPolicy: CircuitBreaker.consecutive(failures), openDuration: openFor }
  return yield* Effect.provideContext(CircuitBreaker.make(options), store)
})

/** Effect's own pieces, put together by hand. */
export const effectByHand = Effect.map(effectBreaker, (breaker) => <A, E>(action: Effect.Effect<A, E>) =>
  action.pipe(
    Effect.timeout(attemptTimeout),
    breaker.execute({ key: "model" }),
    Effect.retry({ schedule: Schedule.exponential("1 second"), times: retries })
  ))

/** Effect's breaker, opened by failures. */
export const effectOpen = Effect.gen(function*() {
  const breaker = yield* effectBreaker
  const fail = breaker.execute(Effect.fail("down"), { key: "model" })
  for (let failed = 0; failed < failures; failed++) yield* Effect.exit(fail)
  return <A, E>(action: Effect.Effect<A, E>) => breaker.execute(action, { key: "model" })
})

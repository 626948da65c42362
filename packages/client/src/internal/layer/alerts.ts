import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Alert, AlertsOptions } from "../../Alerts.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeServiceShape } from "../../ClaudeService.ts"
import type { MessageEvent } from "../../MessageEvents.ts"
import { checkRules, type Rules } from "../alerts/rules.ts"
import { Watchdog } from "../alerts/Watchdog.ts"
import { type AttemptListener, CurrentAttemptListener } from "../callContext.ts"
import { type Watched, watchEffect, watchStream } from "../telemetry/watch.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"

const waitingAlerts = 64
const timeToFinish = Duration.seconds(3)

interface State {
  readonly callEnded: (clock: Clock.Clock, error: ClaudeError | undefined) => void
  readonly requestEnded: AttemptListener
}

/** What keeps count, and a fiber that does what is to be done of an alert. It ends soon after the layer does. */
const make = <E, R>(options: AlertsOptions<E, R>, rules: Rules): Effect.Effect<State, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const alerts = yield* Queue.dropping<Alert, Cause.Done>(waitingAlerts)
    const watchdog = new Watchdog(rules, (alert) => Queue.offerUnsafe(alerts, alert))
    const handle = (alert: Alert): Effect.Effect<void, never, R> =>
      Effect.suspend(() => options.onAlert(alert)).pipe(
        Effect.catchCause((cause) => Effect.logWarning("onAlert of ClaudeLayer.withAlerts failed", alert._tag, cause)),
        Effect.asVoid
      )
    const worker = yield* Stream.fromQueue(alerts).pipe(
      Stream.mapEffect(handle, { concurrency: rules.concurrency, unordered: true }),
      Stream.runDrain,
      Effect.forkScoped
    )
    // A program that ends with the error that somebody should know of ends before it could be told.
    yield* Effect.addFinalizer(() =>
      Queue.end(alerts).pipe(
        Effect.andThen(Fiber.await(worker)),
        Effect.interruptible,
        Effect.timeoutOption(timeToFinish),
        // A layer may end where the time of a test has come to a stop.
        Effect.provideService(Clock.Clock, Clock.Clock.defaultValue())
      )
    )
    return {
      callEnded: (clock, error) => watchdog.callEnded(clock, error),
      requestEnded: (fiber, error) => watchdog.requestEnded(fiber.getRef(Clock.Clock), error)
    }
  })

const both = (first: AttemptListener | undefined, second: AttemptListener): AttemptListener =>
  first === undefined ? second : (fiber, error) => {
    first(fiber, error)
    second(fiber, error)
  }

const wrap = (inner: ClaudeServiceShape, state: State): ClaudeServiceShape => {
  const open = <Self>(fiber: Fiber.Fiber<unknown, unknown>, self: Self): Watched<Self, unknown, ClaudeError> => {
    const listener = both(fiber.getRef(CurrentAttemptListener), state.requestEnded)
    return {
      self,
      provide: Context.add(CurrentAttemptListener, listener),
      ended: (exit) => {
        const error = Exit.findErrorOption(exit)
        // Neither an interruption nor a defect says how the service is.
        if (Exit.isSuccess(exit) || Option.isSome(error)) {
          state.callEnded(fiber.getRef(Clock.Clock), Option.getOrUndefined(error))
        }
        return undefined
      }
    }
  }

  const watched = <A>(effect: Effect.Effect<A, ClaudeError>): Effect.Effect<A, ClaudeError> =>
    Effect.withFiber((fiber) => watchEffect<A, ClaudeError>(fiber, undefined, () => open(fiber, effect)))

  return {
    createMessage: (request, call) => watched(inner.createMessage(request, call)),
    countTokens: (request, call) => watched(inner.countTokens(request, call)),
    streamMessage: (request, call) =>
      Stream.unwrap(
        Effect.withFiber((fiber) =>
          Effect.succeed(
            watchStream<MessageEvent, ClaudeError>(undefined, () => open(fiber, inner.streamMessage(request, call)))
          )
        )
      )
  }
}

export const alerts = <E = never, R = never>(options: AlertsOptions<E, R>): PolicyLayer<never, R> => {
  const rules = checkRules(options)
  return {
    name: "alerts",
    options: { ...rules, immediate: [...rules.immediate] },
    build: (inner) => Effect.map(make(options, rules), (state) => ({ service: wrap(inner, state) }))
  }
}

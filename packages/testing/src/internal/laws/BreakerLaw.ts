import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type Broken, type Case, pass, settle } from "./Case.ts"
import { ask, type GatedCall, interrupt } from "./GatedCall.ts"
import type { Law } from "./Law.ts"
import { oneOf } from "./oneOf.ts"
import * as Subject from "./Subject.ts"
import * as Trouble from "./Trouble.ts"

interface Promises {
  readonly failures: number
  readonly closeAfter: number
  readonly openAtLeast: number
  readonly openAtMost: number
}

const does = oneOf(
  "call",
  "call",
  "call",
  "call that succeeds",
  "call that fails",
  "fail",
  "succeed",
  "fail late",
  "succeed late",
  "refuse",
  "interrupt",
  "interrupt the probe",
  "wait",
  "wait until just before it may close",
  "wait until it may close",
  "wait until it may close",
  "outage",
  "almost an outage",
  "recovery"
)

const action = Arbitrary.all({ does, which: oneOf(0, 1, 2, 3, 4, 5) })

type Action = typeof action extends Arbitrary.Arbitrary<infer A> ? A : never

const act = (...all: ReadonlyArray<Action["does"]>): ReadonlyArray<Action> => all.map((does) => ({ does, which: 0 }))

// Left to chance alone, few cases would come to a probe, and fewer to a late result beside one.
const round = Arbitrary.map(
  Arbitrary.all({
    calm: Arbitrary.array(action, { maxLength: 4 }),
    opens: oneOf(act(), act("outage"), act("call", "outage"), act("call", "call", "outage")),
    wait: oneOf(act(), act("wait until just before it may close"), act("wait until it may close", "call")),
    late: oneOf(act(), act(), act("wait until it may close", "recovery", "fail late", "almost an outage", "call")),
    after: Arbitrary.array(action, { maxLength: 8 })
  }),
  ({ after, calm, late, opens, wait }) => [...calm, ...opens, ...wait, ...late, ...after]
)

const inputArbitrary = Arbitrary.map(Arbitrary.array(round, { maxLength: 4 }), (rounds) => ({ actions: rounds.flat() }))

interface Admitted {
  readonly call: GatedCall
  /** The time between two changes of state in which it was let through. */
  readonly era: number
  readonly order: number
}

const failed = Exit.fail(Trouble.make("OverloadedError"))
const refused = Exit.fail(Trouble.make("InvalidRequestError"))
const succeeded = Exit.succeed("answer")

/** A breaker told from outside: what it must do, what it must not, and what is its own affair. */
class Circuit {
  state: "Closed" | "Open" | "HalfOpen" = "Closed"
  era = 0
  order = 0
  openSince = 0
  probe: Admitted | undefined
  goodProbes = 0
  /** Failures in a row, each of a call that was made after the failure before: they count in every breaker. */
  certain = 0
  /** All failures in a row; whether those of calls at the same time count is the breaker's affair. */
  possible = 0
  lastFailure = 0
  readonly #promises: Promises

  constructor(promises: Promises) {
    this.#promises = promises
  }

  mayAdmit(now: number): "must" | "may" | "mustNot" {
    switch (this.state) {
      case "Closed":
        return "must"
      case "HalfOpen":
        return this.probe === undefined ? "must" : "mustNot"
      case "Open": {
        const open = now - this.openSince
        if (open < this.#promises.openAtLeast) return "mustNot"
        return open < this.#promises.openAtMost ? "may" : "must"
      }
    }
  }

  admit(call: GatedCall): Admitted {
    this.order += 1
    const admitted = { call, era: this.era, order: this.order }
    if (this.state !== "Closed") {
      this.state = "HalfOpen"
      this.probe = admitted
    }
    return admitted
  }

  /** Takes a result. What remains open is whether the breaker opened, when `possible` says so and `certain` does not. */
  end(admitted: Admitted, result: "failure" | "success" | "nothing", now: number): "settled" | "mayHaveOpened" {
    this.order += 1
    if (this.probe === admitted) {
      this.probe = undefined
      if (result === "failure") this.open(now)
      if (result === "success" && ++this.goodProbes === this.#promises.closeAfter) this.close()
      return "settled"
    }
    if (this.state !== "Closed" || admitted.era !== this.era || result === "nothing") return "settled"
    const isInRow = admitted.order > this.lastFailure
    if (result === "success") {
      this.certain = 0
      if (isInRow) this.possible = 0
      return "settled"
    }
    this.certain = isInRow ? this.certain + 1 : 1
    this.possible += 1
    this.lastFailure = this.order
    if (this.certain >= this.#promises.failures) {
      this.open(now)
      return "settled"
    }
    return this.possible >= this.#promises.failures ? "mayHaveOpened" : "settled"
  }

  open(now: number): void {
    this.state = "Open"
    this.openSince = now
    this.#begin()
  }

  close(): void {
    this.state = "Closed"
    this.#begin()
  }

  #begin(): void {
    this.era += 1
    this.goodProbes = 0
    this.certain = 0
    this.possible = 0
    this.probe = undefined
  }
}

class Run<E> {
  readonly #policy: Subject.Policy<E>
  readonly #promises: Promises
  readonly #trial: Case
  readonly #circuit: Circuit
  readonly #running = new Set<Admitted>()
  #calls = 0

  constructor(policy: Subject.Policy<E>, promises: Promises, trial: Case) {
    this.#policy = policy
    this.#promises = promises
    this.#trial = trial
    this.#circuit = new Circuit(promises)
  }

  /** Asks, and compares the answer with what the breaker must do. */
  #ask(): Effect.Effect<Admitted | undefined, Broken, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const circuit = this.#circuit
      const trial = this.#trial
      const now = yield* Clock.currentTimeMillis
      const expected = circuit.mayAdmit(now)
      const { state } = circuit
      this.#calls += 1
      const call = yield* ask(this.#policy, `call ${this.#calls}`, trial)
      yield* settle
      if (!call.running) {
        const why = state === "Closed"
          ? `the circuit is closed (${circuit.possible} failures in a row of ${this.#promises.failures})`
          : state === "HalfOpen"
          ? "no probe is under way"
          : `the circuit was open for ${now - circuit.openSince} ms`
        yield* interrupt(call, trial)
        trial.see("rejections")
        yield* trial.promise(expected !== "must", `${call.name} is not let through, though ${why}`)
        return undefined
      }
      yield* trial.promise(
        expected !== "mustNot",
        state === "Open"
          ? `${call.name} is let through, though the circuit opened ${now - circuit.openSince} ms ago`
          : `${call.name} is let through as a second probe beside ${circuit.probe?.call.name ?? "another"}`
      )
      if (state !== "Closed") trial.see("probes")
      const admitted = circuit.admit(call)
      this.#running.add(admitted)
      return admitted
    })
  }

  #end(
    admitted: Admitted,
    exit: Exit.Exit<string, ClaudeError>
  ): Effect.Effect<void, Broken, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const now = yield* Clock.currentTimeMillis
      this.#running.delete(admitted)
      if (admitted.era !== this.#circuit.era) this.#trial.see("late results")
      const result = exit === failed ? "failure" : exit === succeeded ? "success" : "nothing"
      yield* admitted.call.end(exit)
      const before = this.#circuit.state
      const open = this.#circuit.end(admitted, result, now)
      if (open === "mayHaveOpened") {
        // Somebody has to ask to know.
        this.#calls += 1
        const call = yield* ask(this.#policy, `call ${this.#calls}`, this.#trial)
        yield* settle
        const isOpen = !call.running
        yield* interrupt(call, this.#trial)
        if (isOpen) this.#circuit.open(now)
      }
      if (before !== "Open" && this.#circuit.state === "Open") this.#trial.see("openings")
    })
  }

  #inARow(calls: number, exit: Exit.Exit<string, ClaudeError>): Effect.Effect<void, Broken, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      for (let i = 0; i < calls; i++) {
        const admitted = yield* this.#ask()
        if (admitted === undefined) return
        yield* this.#end(admitted, exit)
      }
    })
  }

  #pick(which: number): Admitted | undefined {
    return [...this.#running][which % Math.max(1, this.#running.size)]
  }

  step(action: Action): Effect.Effect<void, Broken, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      switch (action.does) {
        case "call":
          if (this.#running.size < 6) yield* this.#ask()
          return
        case "call that fails":
        case "call that succeeds": {
          const admitted = yield* this.#ask()
          if (admitted !== undefined) {
            yield* this.#end(admitted, action.does === "call that fails" ? failed : succeeded)
          }
          return
        }
        case "outage":
          return yield* this.#inARow(this.#promises.failures, failed)
        case "almost an outage":
          return yield* this.#inARow(this.#promises.failures - 1, failed)
        case "recovery":
          return yield* this.#inARow(this.#promises.closeAfter, succeeded)
        case "fail late":
        case "succeed late": {
          const late = [...this.#running].find(({ era }) => era !== this.#circuit.era)
          if (late !== undefined) yield* this.#end(late, action.does === "fail late" ? failed : succeeded)
          return
        }
        case "fail":
        case "succeed":
        case "refuse": {
          const admitted = this.#pick(action.which)
          if (admitted === undefined) return
          // Whether a probe that is refused for its own fault is a good one is the breaker's affair.
          if (action.does === "refuse" && admitted === this.#circuit.probe) return
          yield* this.#end(
            admitted,
            action.does === "fail" ? failed : action.does === "succeed" ? succeeded : refused
          )
          return
        }
        case "interrupt":
        case "interrupt the probe": {
          const admitted = action.does === "interrupt" ? this.#pick(action.which) : this.#circuit.probe
          if (admitted === undefined) return
          this.#running.delete(admitted)
          if (admitted === this.#circuit.probe) this.#trial.see("interrupted probes")
          yield* interrupt(admitted.call, this.#trial)
          this.#circuit.end(admitted, "nothing", 0)
          return
        }
        case "wait":
          return yield* pass(1000)
        case "wait until just before it may close": {
          const { openSince, state } = this.#circuit
          if (state !== "Open") return
          const left = openSince + this.#promises.openAtLeast - (yield* Clock.currentTimeMillis)
          return yield* pass(Math.max(0, left - 1))
        }
        case "wait until it may close":
          // A probe that takes longer than it should may lose its place, and how long that is is the breaker's affair.
          return yield* pass(this.#circuit.probe === undefined ? this.#promises.openAtMost : 10)
      }
    })
  }
}

export const make = <E, E2>(
  subject: Subject.Subject<Subject.Policy<E>, E2>,
  promises: Promises
): Law<{ readonly actions: ReadonlyArray<Action> }> => ({
  name: "circuitBreaker",
  input: inputArbitrary,
  mustSee: {
    openings: "the circuit never opened, so the policy that was given is no breaker",
    probes: "no probe was let through",
    "late results": "no result came late"
  },
  run: ({ actions }, trial) =>
    Effect.gen(function*() {
      const run = new Run(yield* Subject.make(subject), promises, trial)
      for (const action of actions) yield* run.step(action)
    })
})

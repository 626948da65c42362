import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Outcome, Rejection, State, Transition } from "../../CircuitBreaker.ts"
import * as ResilienceEvent from "../../ResilienceEvent.ts"
import * as MonotonicTime from "../MonotonicTime.ts"
import { type Answer, Circuit, type Permit, type Settings } from "./Circuit.ts"
import { CircuitTable } from "./CircuitTable.ts"
import type { OpenTimes } from "./OpenTime.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** How much later each further caller may come back, in milliseconds, until the whole spread is used. */
const shareOfCaller = 5

export const allKeys = "*"

const stateTags = { closed: "Closed", open: "Open", halfOpen: "HalfOpen", isolated: "Isolated" } as const

interface Asked {
  readonly openFor?: Duration.Duration | undefined
  readonly after?: Duration.Duration | undefined
  readonly cause?: unknown
}

/**
 * All circuits of a breaker, and one more that stands before them all for what concerns every key. Synchronous: a call is
 * admitted, and its result counted, in one step that nothing can interrupt.
 *
 * The epoch counts the transitions of all circuits. A permit keeps the epoch of its admission, a circuit that of its last
 * transition, so that one comparison tells the results that are too old to count.
 */
export class Breaker {
  private epoch = 0
  private admitted = 0
  /** Results of calls admitted before it count for no key. */
  private oldestEpoch = 0
  private readonly all: Circuit
  private readonly table: CircuitTable
  private readonly settings: Settings
  private readonly startRow: () => OpenTimes
  private readonly clock: Clock.Clock
  private readonly publish: (transition: Transition) => void

  constructor(
    settings: Settings,
    startRow: () => OpenTimes,
    clock: Clock.Clock,
    publish: (transition: Transition) => void
  ) {
    this.settings = settings
    this.startRow = startRow
    this.clock = clock
    this.publish = publish
    this.table = new CircuitTable(settings)
    this.all = new Circuit(allKeys, settings, this.now())
  }

  /** How many circuits are kept. */
  get size(): number {
    return this.table.size
  }

  newPermit(key: string): Permit {
    return { key, epoch: this.epoch, active: true, order: ++this.admitted }
  }

  /** Whether a new permit for this key is good as it is, without asking further. */
  isClosed(key: string): boolean {
    if (this.all.status !== "closed") return false
    if (this.table.size === 0) return true
    const circuit = this.table.find(key)
    return circuit === undefined || circuit.status === "closed"
  }

  /** Lets a call through, as a probe if it must be one, or says why not. A permit that was good before is admitted anew. */
  admit(permit: Permit, fiber: AnyFiber): Rejection | undefined {
    const rejection = this.refuse(permit, fiber)
    if (rejection !== undefined) {
      this.release(permit)
      return rejection
    }
    const now = this.now()
    const circuit = this.table.find(permit.key)
    this.takeProbe(this.all, permit, now, fiber)
    if (circuit !== undefined) this.takeProbe(circuit, permit, now, fiber)
    permit.epoch = this.epoch
    permit.active = true
    permit.order = ++this.admitted
    return undefined
  }

  /** Why a call must not go now; takes nothing. */
  refuse(permit: Permit, fiber: AnyFiber): Rejection | undefined {
    const now = this.now()
    const circuit = this.table.find(permit.key)
    const ofAll = this.all.answer(permit, this.settings, now)
    if (ofAll !== "closed" && ofAll !== "probe") return this.reject(this.all, ofAll, permit, now, fiber)
    if (circuit === undefined) return undefined
    const ofKey = circuit.answer(permit, this.settings, now)
    return ofKey === "closed" || ofKey === "probe" ? undefined : this.reject(circuit, ofKey, permit, now, fiber)
  }

  /** Counts the result of a call and ends its permit. `error` is what the call failed with. */
  record(permit: Permit, outcome: Outcome, fiber: AnyFiber, error?: unknown): void {
    if (!permit.active) return
    permit.active = false
    if (permit.epoch < this.oldestEpoch) return
    if (outcome._tag === "Success" && this.settings.ratio === undefined && this.isIdle) return
    const asked: Asked = outcome._tag === "Failure"
      ? { after: outcome.after }
      : outcome._tag === "Trip"
      ? { openFor: outcome.openFor, cause: error }
      : {}
    this.recordForAll(permit, outcome, asked, fiber)
    this.recordForKey(permit, outcome, asked, fiber)
  }

  /** Counts a probe that is good before it has ended; the rest of the call is judged like one admitted now. */
  recordGoodProbe(permit: Permit, fiber: AnyFiber): void {
    if (!permit.active) return
    const circuit = this.table.find(permit.key)
    for (const probed of [this.all, circuit]) {
      if (probed?.probe !== permit) continue
      probed.probe = undefined
      this.countGoodProbe(probed, fiber)
      permit.epoch = this.epoch
    }
  }

  isolate(key: string | undefined, fiber: AnyFiber): void {
    const circuit = this.circuitOf(key)
    if (circuit.status === "isolated") return
    const from = circuit.status
    circuit.trip = undefined
    circuit.enter("isolated", ++this.epoch, this.now())
    this.changed(circuit, from, "isolated", undefined, fiber)
  }

  reset(key: string | undefined, fiber: AnyFiber): void {
    const circuits = key === undefined ? [this.all, ...this.table] : [this.circuitOf(key)]
    this.epoch += 1
    for (const circuit of circuits) {
      const from = circuit.status
      circuit.close(this.epoch, this.now())
      circuit.forgetRow()
      this.changed(circuit, from, "reset", undefined, fiber)
    }
    if (key !== undefined) return
    // Calls of keys that have no circuit are in flight too.
    this.oldestEpoch = this.epoch
    this.table.clear()
  }

  /** The state that decides about a key. */
  state(key: string): State {
    const circuit = this.all.status === "closed" ? this.table.find(key) : this.all
    return circuit === undefined ? { _tag: "Closed", key, failures: 0 } : this.describe(circuit)
  }

  states(): ReadonlyArray<State> {
    const circuits = Array.from(this.table, (circuit) => this.describe(circuit))
    return this.all.status === "closed" ? circuits : [this.describe(this.all), ...circuits]
  }

  private get isIdle(): boolean {
    return this.table.size === 0 && this.all.status === "closed"
  }

  private now(): number {
    return MonotonicTime.now(this.clock)
  }

  private circuitOf(key: string | undefined): Circuit {
    return key === undefined ? this.all : this.table.find(key) ?? this.table.add(key, this.now())
  }

  private takeProbe(circuit: Circuit, permit: Permit, now: number, fiber: AnyFiber): void {
    const from = circuit.status
    if (from === "closed") return
    circuit.takeProbe(permit, now)
    if (from !== "halfOpen") this.changed(circuit, from, "openTimeOver", undefined, fiber)
  }

  private release(permit: Permit): void {
    permit.active = false
    const circuit = this.table.find(permit.key)
    if (this.all.probe === permit) this.all.probe = undefined
    if (circuit?.probe === permit) circuit.probe = undefined
  }

  private reject(
    circuit: Circuit,
    answer: Exclude<Answer, "closed" | "probe">,
    { key }: Permit,
    now: number,
    fiber: AnyFiber
  ): Rejection {
    circuit.rejected += 1
    const remaining = circuit.remaining(now)
    const share = Math.min(this.settings.spread, shareOfCaller * circuit.rejected)
      * fiber.getRef(Random.Random).nextDoubleUnsafe()
    const rejection: Rejection = {
      key,
      reason: circuit.trip === undefined ? answer : "tripped",
      remaining: answer === "open" ? Duration.millis(remaining) : undefined,
      retryAfter: answer === "isolated" ? undefined : Duration.millis(remaining + share),
      cause: circuit.trip?.cause
    }
    if (ResilienceEvent.isHeard(fiber)) {
      const { reason, retryAfter } = rejection
      ResilienceEvent.emit(fiber, {
        _tag: "CircuitRejected",
        key,
        reason,
        ...(retryAfter === undefined ? undefined : { retryAfter })
      })
    }
    return rejection
  }

  private recordForAll(permit: Permit, outcome: Outcome, asked: Asked, fiber: AnyFiber): void {
    const { all } = this
    if (all.probe === permit) {
      all.probe = undefined
      if (outcome._tag !== "Trip" || outcome.scope === "all") this.recordProbe(all, outcome, asked, fiber)
      return
    }
    const concernsAll = outcome._tag === "Trip" && outcome.scope === "all"
    if (concernsAll && all.status === "closed" && permit.epoch >= all.since) this.open(all, "trip", asked, fiber)
  }

  private recordForKey(permit: Permit, given: Outcome, asked: Asked, fiber: AnyFiber): void {
    // What concerns all keys says nothing about this one.
    const outcome: Outcome = given._tag === "Trip" && given.scope === "all" ? { _tag: "Ignored" } : given
    const known = this.table.find(permit.key)
    if (known !== undefined && known.probe === permit) {
      known.probe = undefined
      return this.recordProbe(known, outcome, asked, fiber)
    }
    if (known !== undefined && permit.epoch < known.since) return
    switch (outcome._tag) {
      case "Alive":
      case "Ignored":
        return
      case "Success":
        return this.countSuccess(known, permit.key)
      case "Failure": {
        const circuit = known ?? this.circuitOf(permit.key)
        // A good probe, counted as such before its end, that went bad.
        if (circuit.status === "halfOpen") return this.open(circuit, "probe", asked, fiber)
        const reason = circuit.countFailure(permit, this.admitted, this.settings, this.now())
        if (reason !== undefined) this.open(circuit, reason, asked, fiber)
        return
      }
      case "Trip":
        return this.open(known ?? this.circuitOf(permit.key), "trip", asked, fiber)
    }
  }

  private countSuccess(known: Circuit | undefined, key: string): void {
    const circuit = this.settings.ratio === undefined ? known : known ?? this.circuitOf(key)
    if (circuit?.status !== "closed") return
    if (this.settings.ratio === undefined && circuit.since === 0) this.table.drop(circuit)
    else circuit.countSuccess(this.now())
  }

  private recordProbe(circuit: Circuit, outcome: Outcome, asked: Asked, fiber: AnyFiber): void {
    switch (outcome._tag) {
      case "Success":
      case "Alive":
        return this.countGoodProbe(circuit, fiber)
      case "Failure":
        return this.open(circuit, "probe", asked, fiber)
      case "Trip":
        return this.open(circuit, "trip", asked, fiber)
      case "Ignored":
        return
    }
  }

  private countGoodProbe(circuit: Circuit, fiber: AnyFiber): void {
    circuit.goodProbes += 1
    if (circuit.goodProbes < this.settings.closeAfter) return
    const from = circuit.status
    circuit.close(++this.epoch, this.now())
    this.changed(circuit, from, "probes", undefined, fiber)
  }

  private open(
    circuit: Circuit,
    reason: "consecutive" | "ratio" | "probe" | "trip",
    asked: Asked,
    fiber: AnyFiber
  ): void {
    const now = this.now()
    const row = circuit.continuesRow(now)
    const openings = row ? circuit.openings + 1 : 1
    const outageSince = row ? circuit.outageSince : now
    const openTimes = (row ? circuit.openTimes : undefined) ?? this.startRow()
    // Asked also where something else decides: each step of a schedule stands for one opening of the row.
    const own = openTimes({
      key: circuit.key,
      openings,
      outage: Duration.millis(now - outageSince),
      random: () => fiber.getRef(Random.Random).nextDoubleUnsafe()
    }, fiber)
    const atLeast = asked.openFor === undefined ? own : Duration.toMillis(asked.openFor)
    const byServer = asked.after === undefined
      ? 0
      : Math.min(Duration.toMillis(asked.after), this.settings.maxServerOpenFor)

    const from = circuit.status
    circuit.enter("open", ++this.epoch, now)
    circuit.openings = openings
    circuit.outageSince = outageSince
    circuit.openTimes = openTimes
    circuit.openFor = Math.max(atLeast, byServer)
    circuit.openUntil = now + circuit.openFor
    if (reason === "trip") circuit.trip = { cause: asked.cause }
    this.changed(circuit, from, reason, Duration.millis(circuit.openFor), fiber)
  }

  private changed(
    circuit: Circuit,
    from: Circuit["status"],
    reason: Transition["reason"],
    openFor: Duration.Duration | undefined,
    fiber: AnyFiber
  ): void {
    if (circuit !== this.all) this.table.moved(circuit)
    if (circuit.status === from) return
    const { key } = circuit
    this.publish({
      key,
      from: stateTags[from],
      to: stateTags[circuit.status],
      at: this.clock.currentTimeMillisUnsafe(),
      reason,
      ...(openFor === undefined ? undefined : { openFor })
    })
    switch (reason) {
      case "openTimeOver":
        return ResilienceEvent.emit(fiber, { _tag: "CircuitHalfOpened", key })
      case "probes":
      case "reset":
        return ResilienceEvent.emit(fiber, { _tag: "CircuitClosed", key, reason })
      default:
        return ResilienceEvent.emit(fiber, {
          _tag: "CircuitOpened",
          key,
          reason,
          ...(openFor === undefined ? undefined : { openFor })
        })
    }
  }

  private describe(circuit: Circuit): State {
    const { key, openings } = circuit
    const tripped = circuit.trip !== undefined
    switch (circuit.status) {
      case "closed":
        return { _tag: "Closed", key, failures: circuit.failuresInRow }
      case "isolated":
        return { _tag: "Isolated", key }
      case "open":
        return { _tag: "Open", key, remaining: Duration.millis(circuit.remaining(this.now())), openings, tripped }
      case "halfOpen":
        return {
          _tag: "HalfOpen",
          key,
          probing: circuit.probe !== undefined,
          goodProbes: circuit.goodProbes,
          openings,
          tripped
        }
    }
  }
}

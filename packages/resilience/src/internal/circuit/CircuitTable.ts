import { Circuit, type Settings } from "./Circuit.ts"

const hour = 3_600_000

/** Looked at for leftovers with each new circuit: more than one, so that leftovers become fewer while circuits come. */
const sweepSize = 2

/**
 * The circuits of a breaker by key, at most `maxKeys` of them. A closed circuit without failures is not here at all unless
 * it has been open before or counts in a window; one that has neither failed nor changed for an hour is forgotten.
 *
 * Closed and other circuits are kept apart, each least recently used first, so that a place for a new one is found without a
 * search: closed ones go first, isolated ones never.
 */
export class CircuitTable {
  private readonly closed = new Map<string, Circuit>()
  private readonly broken = new Map<string, Circuit>()
  private readonly settings: Settings
  private readonly forgetAfter: number
  private newest: Circuit | undefined

  constructor(settings: Settings) {
    this.settings = settings
    this.forgetAfter = Math.max(hour, 2 * (settings.ratio?.window ?? 0))
  }

  get size(): number {
    return this.closed.size + this.broken.size
  }

  find(key: string): Circuit | undefined {
    const closed = this.closed.get(key)
    if (closed === undefined) return this.broken.get(key)
    if (closed !== this.newest) this.renew(closed)
    return closed
  }

  add(key: string, now: number): Circuit {
    this.sweep(this.closed, now)
    this.sweep(this.broken, now)
    if (this.size >= this.settings.maxKeys) this.evict()
    const circuit = new Circuit(key, this.settings, now)
    this.closed.set(key, circuit)
    this.newest = circuit
    return circuit
  }

  /** To be called after each change of a circuit's state. */
  moved(circuit: Circuit): void {
    const [to, from] = circuit.status === "closed" ? [this.closed, this.broken] : [this.broken, this.closed]
    from.delete(circuit.key)
    to.delete(circuit.key)
    to.set(circuit.key, circuit)
    this.newest = circuit.status === "closed" ? circuit : undefined
  }

  drop(circuit: Circuit): void {
    this.closed.delete(circuit.key)
    this.broken.delete(circuit.key)
  }

  clear(): void {
    this.closed.clear()
    this.broken.clear()
  }

  *[Symbol.iterator](): Iterator<Circuit> {
    yield* this.broken.values()
    yield* this.closed.values()
  }

  private renew(circuit: Circuit): void {
    this.closed.delete(circuit.key)
    this.closed.set(circuit.key, circuit)
    this.newest = circuit
  }

  private sweep(circuits: Map<string, Circuit>, now: number): void {
    let left = sweepSize
    for (const circuit of circuits.values()) {
      if (left-- === 0) return
      const idleSince = circuit.status === "open" ? circuit.openUntil : circuit.changedAt
      if (circuit.status !== "isolated" && now - idleSince >= this.forgetAfter) this.drop(circuit)
    }
  }

  private evict(): void {
    for (const circuit of this.closed.values()) return this.drop(circuit)
    for (const circuit of this.broken.values()) {
      if (circuit.status !== "isolated") return this.drop(circuit)
    }
  }
}

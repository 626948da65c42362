/** The key of calls that name none. */
export const defaultKey = "default"

interface Pool {
  readonly isIdle: boolean
}

interface Slot<P> {
  readonly pool: P
  lastUse: number
}

/**
 * A pool for each key, made at first use.
 *
 * Beyond `maxKeys` the idle keys that were used least lately are forgotten. A busy key never is, as its permits would be
 * given out a second time; keys in use are as bounded as the calls that use them.
 */
export class KeyedPools<P extends Pool> {
  private readonly slots = new Map<string, Slot<P>>()
  private readonly maxKeys: number
  private readonly makePool: (key: string, onIdle: () => void) => P
  private uses = 0
  private sweepAt: number

  constructor(maxKeys: number, makePool: (key: string, onIdle: () => void) => P) {
    this.maxKeys = maxKeys
    this.makePool = makePool
    this.sweepAt = maxKeys
  }

  /** The pool of a key, which counts as a use of it. */
  get(key: string): P {
    let slot = this.slots.get(key)
    if (slot === undefined) {
      if (this.slots.size >= this.sweepAt) this.sweep()
      slot = { pool: this.makePool(key, () => this.idled(key)), lastUse: 0 }
      this.slots.set(key, slot)
    }
    slot.lastUse = this.uses++
    return slot.pool
  }

  /** The pool of a key if it is known. */
  peek(key: string): P | undefined {
    return this.slots.get(key)?.pool
  }

  map<B>(f: (pool: P) => B): ReadonlyMap<string, B> {
    return new Map(Array.from(this.slots, ([key, { pool }]) => [key, f(pool)]))
  }

  private idled(key: string): void {
    if (this.slots.size > this.maxKeys) this.slots.delete(key)
  }

  /** Forgets a quarter at once, and looks again only after as many new keys, so that a sweep costs little for each of them. */
  private sweep(): void {
    const quarter = Math.max(1, Math.floor(this.maxKeys / 4))
    const idle = Array.from(this.slots).filter(([, { pool }]) => pool.isIdle)
    idle.sort(([, left], [, right]) => left.lastUse - right.lastUse)
    const excess = this.slots.size - this.maxKeys
    for (const [key] of idle.slice(0, excess + quarter)) this.slots.delete(key)
    this.sweepAt = Math.max(this.maxKeys, this.slots.size + quarter)
  }
}

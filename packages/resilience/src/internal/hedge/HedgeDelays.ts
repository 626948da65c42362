import { LatencyWindow } from "../LatencyWindow.ts"

/** When a call of some key is hedged, and whether one more may be. */
export interface HedgeDelay {
  /** In milliseconds, infinite as long as it is not known. */
  readonly millis: number
  /** Takes the right to one hedge, if there is one. */
  readonly take: () => boolean
  /** Gives back the right to a hedge that was not started. */
  readonly giveBack: () => void
  /** Takes note of how long the service took, in milliseconds. */
  readonly observe: (latency: number) => void
}

export interface HedgeDelays {
  readonly size: number
  /** Counts a call of the key. */
  readonly call: (key: string) => HedgeDelay
  readonly peek: (key: string) => HedgeDelay | undefined
}

export class FixedDelay implements HedgeDelay, HedgeDelays {
  readonly millis: number
  readonly size = 0

  constructor(millis: number) {
    this.millis = millis
  }

  call(): HedgeDelay {
    return this
  }

  peek(): HedgeDelay {
    return this
  }

  take(): boolean {
    return true
  }

  giveBack(): void {}

  observe(): void {}
}

export interface QuantileDelay {
  readonly quantile: number
  readonly minimumSamples: number
  readonly window: number
  readonly maxKeys: number
}

/** Hedges that calls which did without have left over. More would let a slow minute be hedged as a whole. */
const maxUnused = 10

/**
 * What one key's calls have shown. Hedges are held to the share of calls that the quantile promises, whatever the latencies
 * do: in a service that slows down as a whole every call is slower than most of those before.
 */
class KeyLatencies implements HedgeDelay {
  millis = Number.POSITIVE_INFINITY
  private unused = 0
  private readonly options: QuantileDelay
  private readonly window: LatencyWindow

  constructor(options: QuantileDelay) {
    this.options = options
    this.window = new LatencyWindow(options.window)
  }

  called(): void {
    this.unused = Math.min(maxUnused, this.unused + 1 - this.options.quantile)
  }

  take(): boolean {
    if (this.unused < 1) return false
    this.unused -= 1
    return true
  }

  giveBack(): void {
    this.unused += 1
  }

  observe(latency: number): void {
    this.window.add(latency)
    const { minimumSamples, quantile } = this.options
    if (this.window.count >= minimumSamples) this.millis = this.window.quantile(quantile)
  }
}

/** The latencies of the keys that were called last, no more than `maxKeys` of them. */
export class LatencyTable implements HedgeDelays {
  private readonly options: QuantileDelay
  private readonly keys = new Map<string, KeyLatencies>()
  private last: string | undefined

  constructor(options: QuantileDelay) {
    this.options = options
  }

  get size(): number {
    return this.keys.size
  }

  peek(key: string): HedgeDelay | undefined {
    return this.keys.get(key)
  }

  call(key: string): HedgeDelay {
    const latencies = this.of(key)
    latencies.called()
    return latencies
  }

  private of(key: string): KeyLatencies {
    const known = this.keys.get(key)
    if (known !== undefined && this.last === key) return known
    this.last = key
    const latencies = known ?? new KeyLatencies(this.options)
    // A map keeps the order of insertion: the first key is the one that was not called for longest.
    this.keys.delete(key)
    this.keys.set(key, latencies)
    if (this.keys.size > this.options.maxKeys) {
      for (const oldest of this.keys.keys()) {
        this.keys.delete(oldest)
        break
      }
    }
    return latencies
  }
}

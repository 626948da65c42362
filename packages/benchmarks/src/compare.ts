import * as Effect from "effect/Effect"
import { Bench } from "tinybench"

/** A thing to measure: a run makes so many calls [1]. */
export interface Contestant {
  readonly name: string
  readonly calls?: number | undefined
  readonly run: () => Promise<unknown>
}

/** What was measured of a contestant: microseconds a call, and how that compares with the first of its group. */
export interface Measured {
  readonly name: string
  readonly micros: number
  readonly ratio: number
  readonly spread: readonly [number, number]
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/**
 * Measures the contestants in turn, round after round: each one's median time, and its ratio to the first. The machine's
 * speed drifts; a ratio within one round does not.
 */
export const compare = async (
  contestants: ReadonlyArray<Contestant>,
  rounds = 9
): Promise<ReadonlyArray<Measured>> => {
  const times = new Map<string, Array<number>>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    const bench = new Bench({ time: 200, warmupTime: 60 })
    for (const { name, run } of contestants) bench.add(name, run)
    await bench.run()
    // The first round only warms up.
    if (round === 0) continue
    for (const [index, { name, result }] of bench.tasks.entries()) {
      if (!("latency" in result)) throw new Error(`${name} did not run: ${JSON.stringify(result)}`)
      times.get(name)?.push(result.latency.p50 * 1000 / (contestants[index]?.calls ?? 1))
    }
  }
  const first = times.get(contestants[0]?.name ?? "") ?? []
  return contestants.map(({ name }) => {
    const own = times.get(name) ?? []
    const ratios = own.map((time, round) => time / (first[round] ?? Number.NaN))
    return { name, micros: median(own), ratio: median(ratios), spread: [Math.min(...ratios), Math.max(...ratios)] }
  })
}

export const line = (name: string, ...cells: ReadonlyArray<string>): string =>
  `${name.padEnd(52)}${cells.map((cell) => cell.padStart(12)).join("")}`

export const lines = (measured: ReadonlyArray<Measured>): ReadonlyArray<string> =>
  measured.map(({ micros, name, ratio, spread }) =>
    line(name, `${micros.toFixed(2)} us`, `x ${ratio.toFixed(2)}`)
    + `   (${spread[0].toFixed(2)} to ${spread[1].toFixed(2)})`
  )

/** How many calls a run makes where one alone would be too short to time. */
export const batch = 1000

/** So many calls one after another in one fiber. */
export const inOneFiber = <A, E>(name: string, call: Effect.Effect<A, E>): Contestant => ({
  name,
  calls: batch,
  run: () =>
    Effect.runPromise(Effect.suspend(() => {
      let done = 0
      return Effect.whileLoop({ while: () => done < batch, body: () => call, step: () => done++ })
    }))
})

/** So many calls one after another, each from outside of Effect. */
export const awaited = (name: string, call: () => Promise<unknown>, calls: number = batch): Contestant => ({
  name,
  calls,
  run: async () => {
    for (let done = 0; done < calls; done++) await call()
  }
})

/** So many calls one after another, each in a fiber of its own. */
export const inOwnFibers = <A, E>(name: string, call: Effect.Effect<A, E>): Contestant =>
  awaited(name, () => Effect.runPromise(call))

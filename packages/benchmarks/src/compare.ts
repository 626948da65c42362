import { Bench } from "tinybench"

/** A thing to measure. */
export interface Contestant {
  readonly name: string
  readonly run: () => Promise<unknown>
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/**
 * Measures the contestants in turn, round after round, and reports each one's median time and its ratio to the first.
 * The machine's speed drifts; a ratio within one round does not.
 */
export const compare = async (contestants: ReadonlyArray<Contestant>, rounds = 9): Promise<ReadonlyArray<string>> => {
  const times = new Map<string, Array<number>>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    const bench = new Bench({ time: 250, warmupTime: 60 })
    for (const { name, run } of contestants) bench.add(name, run)
    await bench.run()
    // The first round only warms up.
    if (round === 0) continue
    for (const { name, result } of bench.tasks) {
      if (!("latency" in result)) throw new Error(`${name} did not run: ${JSON.stringify(result)}`)
      times.get(name)?.push(result.latency.p50 * 1000)
    }
  }
  const first = times.get(contestants[0]?.name ?? "") ?? []
  return contestants.map(({ name }) => {
    const own = times.get(name) ?? []
    const ratios = own.map((time, round) => time / (first[round] ?? Number.NaN))
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
    return `${name.padEnd(44)} ${median(own).toFixed(2).padStart(9)} us   x ${median(ratios).toFixed(2)} (${spread})`
  })
}

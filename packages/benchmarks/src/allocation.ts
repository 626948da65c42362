/** How many bytes a call allocates. A program of its own, since the heap has to be large enough never to be collected. */
import * as Effect from "effect/Effect"
import { PerformanceObserver } from "node:perf_hooks"
import type { Contestant } from "./compare.ts"
import { line, median } from "./compare.ts"
import { pipeline } from "./pipeline.ts"
import { policies } from "./policies.ts"
import { rejections } from "./rejections.ts"

let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ["gc"] })

const settle = () => new Promise((resolve) => setTimeout(resolve, 10))

/** Bytes a call: the median of several runs, none of which the collector interrupted. */
const bytesOf = async ({ calls = 1, run }: Contestant): Promise<number> => {
  for (let warmup = 0; warmup < 20; warmup++) await run()
  const samples: Array<number> = []
  for (let sample = 0; sample < 40 && samples.length < 9; sample++) {
    globalThis.gc?.()
    await settle()
    collections = 0
    const before = process.memoryUsage().heapUsed
    await run()
    const after = process.memoryUsage().heapUsed
    await settle()
    if (collections === 0) samples.push((after - before) / calls)
  }
  return median(samples)
}

const groups = { policies, rejections, pipeline }

await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  for (const [name, group] of Object.entries(groups)) {
    console.log(`\n  ${name}`)
    for (const contestant of yield* group) {
      const bytes = yield* Effect.promise(() => bytesOf(contestant))
      console.log(`  ${line(contestant.name, `${bytes.toFixed(0)} B`)}`)
    }
  }
})))
process.exit(0)

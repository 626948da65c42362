import { benchCalls } from "./calls.ts"
import { benchMemory } from "./memory.ts"
import { benchRetry } from "./retry.ts"

const all = { calls: benchCalls, retry: benchRetry, memory: benchMemory }

const wanted = process.argv.slice(2).filter((name) => name !== "--")
const unknown = wanted.filter((name) => !Object.hasOwn(all, name))
if (unknown.length > 0) {
  console.error(`No benchmark is called ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`)
  process.exit(1)
}

for (const [name, bench] of Object.entries(all)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\n${name}`)
  for (const line of await bench()) console.log(`  ${line}`)
}
process.exit(0)

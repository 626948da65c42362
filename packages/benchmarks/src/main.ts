import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { benchBundle } from "./bundle.ts"
import { calls } from "./calls.ts"
import { chaos } from "./chaos.ts"
import { compare, type Contestant, lines } from "./compare.ts"
import { benchFakeApi } from "./fakeApi.ts"
import { benchKeys } from "./keys.ts"
import { benchMemory } from "./memory.ts"
import { benchOutage } from "./outage.ts"
import { pipeline } from "./pipeline.ts"
import { policies } from "./policies.ts"
import { rejections } from "./rejections.ts"
import { retry } from "./retry.ts"
import { benchStreams } from "./streams.ts"

const timed = (group: Effect.Effect<ReadonlyArray<Contestant>, never, Scope.Scope>) => () =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(group, (contestants) => Effect.promise(async () => lines(await compare(contestants)))))
  )

// No collection may fall into what is measured, so the young heap is larger than all of it.
const benchAllocation = () => {
  const program = fileURLToPath(new URL("allocation.ts", import.meta.url))
  const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"]
  execFileSync(process.execPath, [...flags, program], { stdio: "inherit" })
  return Promise.resolve([])
}

const all = {
  policies: timed(policies),
  rejections: timed(rejections),
  pipeline: timed(pipeline),
  calls: timed(calls),
  chaos: timed(chaos),
  retry: timed(retry),
  streams: benchStreams,
  allocation: benchAllocation,
  memory: benchMemory,
  keys: benchKeys,
  bundle: benchBundle,
  fakeApi: benchFakeApi,
  outage: benchOutage
}

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

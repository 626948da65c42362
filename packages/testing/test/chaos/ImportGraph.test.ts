import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const packages = fileURLToPath(new URL("../../..", import.meta.url))

/** Imports that are there at run time; those of types alone are gone by then. */
const importing = /^(?:import\s+(?!type\b)|export\s+(?:\*|\{))[^"]*?\bfrom\s+"([^"]+)"/gm

const resolve = (from: string, specifier: string): string | undefined => {
  if (specifier.startsWith(".")) return join(dirname(from), specifier)
  const own = /^@effect-claude\/([a-z]+)\/(.+)$/.exec(specifier)
  return own === null ? undefined : join(packages, own[1] ?? "", "src", `${own[2] ?? ""}.ts`)
}

/** Every file that a module loads, and every foreign module. */
const graphOf = (entry: string) => {
  const files = new Set<string>()
  const foreign = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(importing)) {
      const own = resolve(file, specifier)
      if (own === undefined) foreign.add(specifier)
      else visit(own)
    }
  }
  visit(entry)
  return { files: [...files].map((file) => file.slice(packages.length)), foreign: [...foreign] }
}

it("chaos brings nothing into a production program but effect, the client and the steps of scripts", () => {
  const { files, foreign } = graphOf(join(packages, "testing/src/Chaos.ts"))
  const testing = files.filter((file) => file.startsWith("testing/"))
  assert.include(testing, "testing/src/internal/script/WireFailure.ts")
  assert.deepStrictEqual(
    testing.filter((file) => /fake|FakeClaudeApi|FaultPlan|ClaudeTest\.ts|cassette/i.test(file)),
    []
  )
  // Of effect nothing that only tests or servers need; of the SDK nothing that the client does not load as well.
  assert.deepStrictEqual(foreign.filter((name) => !/^(effect|@anthropic-ai\/sdk)(\/|$)/.test(name)), [])
  assert.deepStrictEqual(foreign.filter((name) => /testing|platform|^node:/.test(name)), [])
})

it("the test would see it", () => {
  const { foreign } = graphOf(join(packages, "testing/src/FakeClaudeApi.ts"))
  assert.isTrue(foreign.some((name) => /^node:|platform-node/.test(name)))
})

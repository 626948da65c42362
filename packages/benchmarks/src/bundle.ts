import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"
import { line } from "./compare.ts"

const entry = "\0entry"

const sizeOf = async (source: string, external: ReadonlyArray<RegExp>) => {
  const bundle = await rolldown({
    input: entry,
    external: [...external],
    platform: "node",
    treeshake: true,
    plugins: [{
      name: "entry",
      resolveId: (id) => id === entry ? id : undefined,
      load: (id) => id === entry ? source : undefined
    }]
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  const code = output.map((chunk) => chunk.type === "chunk" ? chunk.code : "").join("")
  return { minified: Buffer.byteLength(code), zipped: gzipSync(code, { level: 9 }).length }
}

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`

const effect = /^effect(\/|$)/
const sdk = /^@anthropic-ai\/sdk(\/|$)/

const standard = `import { standard } from "@effect-claude/client/ClaudeLayer"; globalThis.kept = standard()`
const withClient = `import { layerConfig } from "@effect-claude/client/AnthropicClient"
import { standard } from "@effect-claude/client/ClaudeLayer"
globalThis.kept = layerConfig.pipe(standard())`
const smallest = `import * as Effect from "effect/Effect"; globalThis.kept = Effect.runPromise(Effect.succeed(1))`

/** What a program carries for `standard()`, minified, and zipped as it is sent. */
export const benchBundle = async (): Promise<ReadonlyArray<string>> => {
  const bundles: ReadonlyArray<readonly [string, string, ReadonlyArray<RegExp>]> = [
    ["standard(), its own code", standard, [effect, sdk]],
    ["standard() with what it needs of effect", standard, [sdk]],
    ["standard() and the client, with effect, without SDK", withClient, [sdk]],
    ["standard() and the client, with effect and SDK", withClient, []],
    ["effect's smallest program", smallest, []]
  ]
  const rows = [line("", "minified", "gzip")]
  for (const [name, source, external] of bundles) {
    const { minified, zipped } = await sizeOf(source, external)
    rows.push(line(name, kilobytes(minified), kilobytes(zipped)))
  }
  return rows
}

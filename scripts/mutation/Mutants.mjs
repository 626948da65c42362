import { Instrumenter } from "@stryker-mutator/instrumenter"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../Workspace.mjs"

/**
 * One change to one place of a source file. `id` is the switch that turns it on; `key` stays the same for as long as the
 * file does.
 *
 * @typedef {{
 *   readonly id: string
 *   readonly key: string
 *   readonly file: string
 *   readonly line: number
 *   readonly column: number
 *   readonly mutator: string
 *   readonly original: string
 *   readonly replacement: string
 *   readonly excluded?: string
 * }} Mutant
 */

const silent = () => {}
const logger = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => false,
  isErrorEnabled: () => false,
  isFatalEnabled: () => false,
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent
}

/**
 * Every mutant of the files, all of them built into one copy of each file and switched off.
 *
 * @param {ReadonlyArray<string>} files relative to the repository
 * @param {number} sample how many of each file are run; a larger sample has all of a smaller one in it
 */
export const mutate = async (files, sample) => {
  const contents = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]))
  const { files: instrumented, mutants } = await new Instrumenter(logger).instrument(
    [...contents].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, ignorers: [], excludedMutations: [] }
  )
  /** @type {Map<string, number>} */
  const counts = new Map()
  const described = mutants.map(({ fileName, id, location, mutatorName, replacement }) => {
    const content = /** @type {string} */ (contents.get(fileName))
    const original = between(content, location.start, location.end)
    const index = counts.get(fileName) ?? 0
    counts.set(fileName, index + 1)
    const excluded = exclusion(mutatorName, original)
    return {
      id,
      key: `${fileName}@${digest(content)}#${index}`,
      file: fileName,
      line: location.start.line + 1,
      column: location.start.column + 1,
      mutator: mutatorName,
      original,
      replacement,
      ...(excluded === undefined ? {} : { excluded })
    }
  })
  /** @type {Map<string, Array<{ readonly key: string, readonly rank: string }>>} */
  const ranked = new Map()
  for (const { excluded, file, key } of described) {
    if (excluded !== undefined) continue
    ranked.set(file, [...ranked.get(file) ?? [], { key, rank: digest(`seed 1 ${key}`) }])
  }
  const chosen = new Set(
    [...ranked.values()].flatMap((ranks) =>
      ranks.sort((a, b) => a.rank < b.rank ? -1 : 1).slice(0, sample).map(({ key }) => key)
    )
  )
  return {
    instrumented: new Map(instrumented.map(({ content, name }) => [name, content])),
    mutants: described.map((mutant) =>
      mutant.excluded !== undefined || chosen.has(mutant.key) ? mutant : { ...mutant, excluded: notSampled }
    )
  }
}

export const notSampled = "not in the sample"

/**
 * Why a mutant is not worth a run. Text for people is no behaviour: a string counts as text when it has a space in it. Tags,
 * keys, field names and values that are compared have none.
 *
 * @param {string} mutator
 * @param {string} original
 */
const exclusion = (mutator, original) => {
  if (mutator !== "StringLiteral") return undefined
  if (/\s/.test(original)) return "text for people"
  if (/^["'`](@?effect-claude|claude)\//.test(original)) return "name of a service or schema"
  return undefined
}

/** @param {string} content */
const digest = (content) => createHash("sha256").update(content).digest("hex").slice(0, 8)

/**
 * @param {string} content
 * @param {{ readonly line: number, readonly column: number }} start
 * @param {{ readonly line: number, readonly column: number }} end
 */
const between = (content, start, end) => {
  const lines = content.split("\n").slice(start.line, end.line + 1)
  lines[lines.length - 1] = (lines.at(-1) ?? "").slice(0, end.column)
  lines[0] = (lines[0] ?? "").slice(start.column)
  return lines.join("\n")
}

import { notSampled } from "./Mutants.mjs"

/**
 * @typedef {import("./Mutants.mjs").Mutant} Mutant
 * @typedef {"killed" | "timeout" | "survived" | "not reached" | "at load" | "excluded"} Fate
 */

/**
 * What became of every mutant.
 *
 * @param {ReadonlyArray<Mutant>} mutants
 * @param {ReadonlyArray<import("./Session.mjs").Result>} results
 * @returns {Map<Mutant, Fate>}
 */
export const fates = (mutants, results) => {
  /** @type {Map<string, "killed" | "timeout">} */
  const noticed = new Map()
  const reached = new Set()
  const atLoad = new Set()
  for (const { key = "", reached: keys = [], status } of results) {
    if (status === "killed" || status === "timeout") noticed.set(key, status)
    if (status === "survived at load") reached.add(key)
    for (const each of keys) (status === "static" ? atLoad : reached).add(each)
  }
  return new Map(mutants.map((mutant) => [
    mutant,
    mutant.excluded !== undefined
      ? "excluded"
      : noticed.get(mutant.key)
        ?? (reached.has(mutant.key) ? "survived" : atLoad.has(mutant.key) ? "at load" : "not reached")
  ]))
}

/**
 * Prints a table, and before it, if they are to be listed, the mutants that nothing noticed.
 *
 * @param {ReadonlyArray<Mutant>} mutants
 * @param {ReadonlyArray<import("./Session.mjs").Result>} results
 * @param {boolean} listed
 */
export const printReport = (mutants, results, listed) => {
  const all = fates(mutants, results)
  if (listed) {
    for (const [mutant, fate] of all) {
      if (fate === "killed" || fate === "timeout" || fate === "excluded") continue
      const { column, file, line, mutator, original, replacement } = mutant
      print(`${fate}: ${file}:${line}:${column} ${mutator}: ${short(original)} => ${short(replacement)}`)
    }
  }
  const modules = [...new Set(mutants.map(moduleOf))]
  print("| module | mutants | run | killed | timeout | survived | not reached | at load | score |")
  print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
  for (const module of modules) print(row(module, all, (mutant) => moduleOf(mutant) === module))
  print(row("all", all, () => true))
  print(`score of all mutants, not of the sample only: ${estimate(all)}`)
}

/** A file that users import, or the folder of those that they do not. */
const moduleOf = (/** @type {Mutant} */ { file }) => {
  const [, name, , ...rest] = file.split("/")
  return `${name}/${rest.length === 1 ? rest[0] : rest.slice(0, -1).join("/")}`
}

/**
 * @param {string} title
 * @param {Map<Mutant, Fate>} all
 * @param {(mutant: Mutant) => boolean} keep
 */
const row = (title, all, keep) => {
  const counts = countsOf(all, keep)
  const { killed, missed, noticed, population, timeout } = counts
  const score = noticed + missed === 0 ? "-" : `${percent(noticed / (noticed + missed))} %`
  const run = noticed + missed + counts["at load"]
  const cells = [
    title,
    population,
    run,
    killed,
    timeout,
    counts.survived,
    counts["not reached"],
    counts["at load"],
    score
  ]
  return `| ${cells.join(" | ")} |`
}

/**
 * @param {Map<Mutant, Fate>} all
 * @param {(mutant: Mutant) => boolean} keep
 */
const countsOf = (all, keep) => {
  const counts = { killed: 0, timeout: 0, survived: 0, "not reached": 0, "at load": 0, excluded: 0, population: 0 }
  for (const [mutant, fate] of all) {
    if (!keep(mutant)) continue
    counts[fate] += 1
    if (fate !== "excluded" || mutant.excluded === notSampled) counts.population += 1
  }
  return { ...counts, noticed: counts.killed + counts.timeout, missed: counts.survived + counts["not reached"] }
}

/**
 * What the sample says of all mutants, each file counted by its size, with the interval in which the true score lies with a
 * probability of 95 %. The variance within a file is taken to be that of the whole, which is rather too much.
 *
 * @param {Map<Mutant, Fate>} all
 */
const estimate = (all) => {
  const files = [...new Set([...all.keys()].map(({ file }) => file))]
    .map((file) => countsOf(all, (mutant) => mutant.file === file))
    .filter(({ missed, noticed }) => noticed + missed > 0)
  const population = files.reduce((sum, file) => sum + file.population, 0)
  const score =
    files.reduce((sum, { missed, noticed, population }) => sum + population * noticed / (noticed + missed), 0)
    / population
  const variance = files.reduce((sum, { missed, noticed, population: size }) => {
    const run = noticed + missed
    const unseen = Math.max(0, 1 - run / size)
    return sum + (size / population) ** 2 * unseen * score * (1 - score) / run
  }, 0)
  return `${percent(score)} % ± ${percent(1.96 * Math.sqrt(variance))}`
}

/** @param {number} share */
const percent = (share) => (100 * share).toFixed(1)

/** @param {string} text */
const short = (text) => {
  const line = text.replace(/\s+/g, " ")
  return line.length > 90 ? `${line.slice(0, 60)} … ${line.slice(-25)}` : line
}

/** @param {string} line */
const print = (line) => process.stdout.write(`${line}\n`)

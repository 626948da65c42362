/**
 * @typedef {"killed" | "timeout" | "survived" | "not reached" | "at load" | "excluded"} Fate
 */

/**
 * What became of every mutant.
 *
 * @param {ReadonlyArray<import("./Mutants.mjs").Mutant>} mutants
 * @param {ReadonlyArray<import("./Session.mjs").Result>} results
 * @returns {Map<import("./Mutants.mjs").Mutant, Fate>}
 */
export const fates = (mutants, results) => {
  /** @type {Map<string, "killed" | "timeout">} */
  const noticed = new Map()
  const reached = new Set()
  const atLoad = new Set()
  for (const { key, reached: ids, status } of results) {
    if (status === "killed" || status === "timeout") noticed.set(key ?? "", status)
    for (const each of ids ?? []) (status === "static" ? atLoad : reached).add(each)
    if (status === "survived at load") reached.add(key)
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
 * @param {ReadonlyArray<import("./Mutants.mjs").Mutant>} mutants
 * @param {ReadonlyArray<import("./Session.mjs").Result>} results
 * @param {boolean} listed whether to list what nothing noticed
 */
export const printReport = (mutants, results, listed) => {
  const all = fates(mutants, results)
  if (listed) {
    for (const [mutant, fate] of all) {
      if (fate === "killed" || fate === "timeout" || fate === "excluded") continue
      const { column, file, line, mutator, original, replacement } = mutant
      process.stdout.write(
        `${fate}: ${file}:${line}:${column} ${mutator}: ${short(original)} => ${short(replacement)}\n`
      )
    }
  }
  const files = [...new Set(mutants.map(({ file }) => file))]
  const rows = files.map((file) => [file.replace(/^packages\//, ""), ...row(all, (mutant) => mutant.file === file)])
  const head = ["file", "mutants", "killed", "timeout", "survived", "not reached", "at load", "score"]
  for (const cells of [head, ...rows, ["all", ...row(all, () => true)]]) {
    process.stdout.write(`| ${cells.join(" | ")} |\n`)
  }
}

/**
 * @param {ReturnType<typeof fates>} all
 * @param {(mutant: import("./Mutants.mjs").Mutant) => boolean} keep
 */
const row = (all, keep) => {
  /** @param {Fate} wanted */
  const count = (wanted) => [...all].filter(([mutant, fate]) => fate === wanted && keep(mutant)).length
  const noticed = count("killed") + count("timeout")
  const missed = count("survived") + count("not reached")
  const score = noticed + missed === 0 ? "-" : `${(100 * noticed / (noticed + missed)).toFixed(1)} %`
  return [
    String(noticed + missed + count("at load")),
    ...[count("killed"), count("timeout"), count("survived"), count("not reached"), count("at load")].map(String),
    score
  ]
}

/** @param {string} text */
const short = (text) => {
  const line = text.replace(/\s+/g, " ")
  return line.length > 90 ? `${line.slice(0, 60)} … ${line.slice(-25)}` : line
}

/**
 * Mutation testing: `npm run mutation -- resilience` all of a package, `npm run mutation -- resilience CircuitBreaker` the
 * sources whose path has one of the words in it. A run goes on where the last one ended: sources that did not change keep
 * the mutants that a test has noticed. `--report` only prints, `--fresh` forgets, `--tests=WORD` runs those test files only.
 */
import { printReport } from "./mutation/Report.mjs"
import { scopes } from "./mutation/Scopes.mjs"
import { lastSession, startSession } from "./mutation/Session.mjs"

const args = process.argv.slice(2)
const flags = args.filter((arg) => arg.startsWith("--"))
const [scopeName = "", ...words] = args.filter((arg) => !arg.startsWith("--"))
const scope = scopes[scopeName]
if (scope === undefined) {
  process.stderr.write(`Name a package: ${Object.keys(scopes).join(" or ")}.\n`)
  process.exit(2)
}
const tests = flags.find((flag) => flag.startsWith("--tests="))?.slice("--tests=".length)
const sample = Number(flags.find((flag) => flag.startsWith("--sample="))?.slice("--sample=".length) ?? Infinity)
if (!flags.includes("--report")) {
  const session = await startSession(scopeName, scope, words, flags.includes("--fresh"), sample)
  if (!flags.includes("--at-load")) await session.run(tests, flags.includes("--resume"))
  else await session.runAtLoad()
}
const { mutants, results } = lastSession(scopeName, words)
printReport(mutants, results, flags.includes("--survivors"))

/**
 * Mutation testing: `npm run mutation -- resilience` all of a package, `npm run mutation -- resilience CircuitBreaker` the
 * sources whose path has one of the words in it. See docs/mutation.md.
 */
import { printReport } from "./mutation/Report.mjs"
import { scopes } from "./mutation/Scopes.mjs"
import { lastSession, startSession } from "./mutation/Session.mjs"

const args = process.argv.slice(2)
const [scopeName = "", ...words] = args.filter((arg) => !arg.startsWith("--"))
const scope = scopes[scopeName]
if (scope === undefined) {
  process.stderr.write(`Name a package: ${Object.keys(scopes).join(" or ")}.\n`)
  process.exit(2)
}

/** @param {string} name */
const has = (name) => args.includes(`--${name}`)
/** @param {string} name */
const valueOf = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)

if (!has("report")) {
  const session = await startSession(scopeName, scope, words, has("fresh"), Number(valueOf("sample") ?? Infinity))
  if (has("at-load")) await session.runAtLoad()
  else await session.run(valueOf("tests")?.split(",") ?? [], has("resume"))
}
const { mutants, results } = lastSession(scopeName, words)
printReport(mutants, results, has("survivors"))

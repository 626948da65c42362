/** Checks doc examples: `npm run docs` all of them, `npm run docs -- packages/client/src/Verdict.ts docs` some. */
import { checkDocs, documentedFiles } from "./docs/DocCheck.mjs"

const prefixes = process.argv.slice(2).map((path) => path.replace(/^\.\//, ""))
const files = documentedFiles().filter((file) =>
  prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(prefix))
)
if (files.length === 0) {
  process.stderr.write(`No documented file starts with ${prefixes.join(" or ")}.\n`)
  process.exit(2)
}
const { failed, output, passed, skipped } = await checkDocs(files)
if (output !== "") process.stdout.write(`${output.trim()}\n\n`)
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = failed > 0 ? 1 : 0

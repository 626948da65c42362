import { parseSync } from "oxc-parser"

/**
 * One TypeScript example: `line` is the first line of its code in the file, `column` how far the code stands from the
 * margin. `run` says how it is run:
 *
 * - `import`: a program, run by importing it in a test of its own
 * - `suite`: defines tests itself, run as a test file
 * - `process`: starts a main program, run as a process of its own
 * - `none`: only typechecked
 *
 * @typedef {{
 *   readonly file: string
 *   readonly line: number
 *   readonly column: number
 *   readonly title: string
 *   readonly code: string
 *   readonly run: "import" | "suite" | "process" | "none"
 * }} Fence
 *
 * @typedef {{ readonly file: string, readonly line: number, readonly message: string }} Problem
 *
 * @typedef {{ readonly text: string, readonly number: number, readonly column: number }} Line
 */

const opening = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/
const exampleTitle = /^\*\*Example\*\* \((.+)\)\s*$/
const heading = /^#{1,6}\s+(.+?)\s*$/

/**
 * The examples of a TypeScript file's doc comments, or of a Markdown file.
 *
 * @param {string} file
 * @param {string} text
 * @returns {{ readonly fences: ReadonlyArray<Fence>, readonly problems: ReadonlyArray<Problem> }}
 */
export const fencesOf = (file, text) => {
  /** @type {Array<Fence>} */
  const fences = []
  /** @type {Array<Problem>} */
  const problems = []
  for (const lines of file.endsWith(".md") ? [markdownLines(text)] : docCommentLines(file, text)) {
    readFences(file, lines, fences, problems)
  }
  return { fences, problems }
}

/** @param {string} text @returns {ReadonlyArray<Line>} */
const markdownLines = (text) => text.split("\n").map((line, index) => ({ text: line, number: index + 1, column: 0 }))

/**
 * @param {string} file
 * @param {string} text
 * @returns {ReadonlyArray<ReadonlyArray<Line>>}
 */
const docCommentLines = (file, text) =>
  parseSync(file, text).comments
    .filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
    .map((comment) => {
      const first = text.slice(0, comment.start).split("\n").length
      return text.slice(comment.start, comment.end).split("\n").map((line, index) => {
        const margin = /^\s*\/?\*+ ?/.exec(line)?.[0] ?? ""
        return { text: line.slice(margin.length), number: first + index, column: margin.length }
      })
    })

/**
 * @param {string} file
 * @param {ReadonlyArray<Line>} lines
 * @param {Array<Fence>} fences
 * @param {Array<Problem>} problems
 */
const readFences = (file, lines, fences, problems) => {
  let title = "example"
  for (let index = 0; index < lines.length; index++) {
    const line = /** @type {Line} */ (lines[index])
    title = exampleTitle.exec(line.text)?.[1] ?? heading.exec(line.text)?.[1] ?? title
    const match = opening.exec(line.text)
    if (match === null) continue
    const [, indent = "", mark = "", info = ""] = match
    const end = lines.findIndex((other, position) => position > index && isClosing(other.text, mark))
    if (end === -1) {
      problems.push({ file, line: line.number, message: "this code fence is not closed" })
      return
    }
    const body = lines.slice(index + 1, end)
    const code = body.map(({ text }) => text.startsWith(indent) ? text.slice(indent.length) : text.trimStart()).join(
      "\n"
    )
    const [language = "", ...flags] = info.split(/\s+/)
    if (/^(ts|tsx|typescript)$/i.test(language)) {
      const run = runOf(flags, code)
      if (language !== "ts" || run === undefined) {
        problems.push({ file, line: line.number, message: `"${info}" is not allowed here; write "ts" or "ts no-run"` })
      } else {
        const column = line.column + indent.length
        fences.push({ file, line: line.number + 1, column, title, code, run })
      }
    }
    index = end
  }
}

/**
 * @param {string} text
 * @param {string} mark
 */
const isClosing = (text, mark) => {
  const trimmed = text.trim()
  return trimmed.length >= mark.length && trimmed === mark.charAt(0).repeat(trimmed.length)
}

const testFunctions = new Set(["it", "test", "describe", "layer"])

/**
 * @param {ReadonlyArray<string>} flags
 * @param {string} code
 * @returns {Fence["run"] | undefined}
 */
const runOf = (flags, code) => {
  if (flags.length > 0) return flags.length === 1 && flags[0] === "no-run" ? "none" : undefined
  const definesTests = parseSync("example.ts", code).module.staticImports.some(({ entries, moduleRequest }) =>
    moduleRequest.value === "@effect-claude/testing/ClaudeVitest"
    || /^(@effect\/)?vitest$/.test(moduleRequest.value)
      && entries.some(({ importName }) => importName.name !== null && testFunctions.has(importName.name ?? ""))
  )
  if (definesTests) return "suite"
  return /\brunMain\b/.test(code) ? "process" : "import"
}

import { spawn } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { runNode } from "../Subprocess.mjs"
import { packageBin, root, workspaceEnv } from "../Workspace.mjs"
import { mutate } from "./Mutants.mjs"
import { fates } from "./Report.mjs"
import { leftOut } from "./Scopes.mjs"

const vitestArgs = [packageBin("vitest"), "run", "--config", join(root, "scripts/mutation/vitest.config.mjs")]

/**
 * @typedef {{
 *   readonly status: "killed" | "timeout" | "survived at load" | "done" | "long" | "file" | "static" | "broken" | "polluted"
 *   readonly key?: string
 *   readonly test?: string
 *   readonly file?: string
 *   readonly reason?: string
 *   readonly millis?: number
 *   readonly reached?: ReadonlyArray<string>
 * }} Result
 */

/**
 * @param {string} name
 * @param {ReadonlyArray<string>} words
 */
const sessionFolder = (name, words) => join(root, ".cache", "mutation", [name, ...words].join("-"))

/**
 * What the last run found.
 *
 * @param {string} name
 * @param {ReadonlyArray<string>} words
 */
export const lastSession = (name, words) => {
  const folder = sessionFolder(name, words)
  /** @type {Array<import("./Mutants.mjs").Mutant>} */
  const mutants = JSON.parse(readFileSync(join(folder, "mutants.json"), "utf8"))
  return { mutants, results: readResults(join(folder, "results.jsonl")) }
}

/**
 * @param {string} file
 * @returns {Array<Result>}
 */
const readResults = (file) =>
  readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))

/**
 * @param {string} name
 * @param {{ readonly sources: string, readonly tests: ReadonlyArray<string> }} scope
 * @param {ReadonlyArray<string>} words that a source file's path has one of; none means every file
 * @param {boolean} fresh
 * @param {number} sample
 */
export const startSession = async (name, scope, words, fresh, sample) => {
  const folder = sessionFolder(name, words)
  if (fresh) rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const files = filesBelow(scope.sources, ".ts").filter((file) =>
    !file.endsWith("/index.ts") && (words.length === 0 || words.some((word) => file.includes(word)))
  )
  const { instrumented, mutants } = await mutate(files, sample)
  writeFileSync(join(folder, "mutants.json"), JSON.stringify(mutants))
  writeFileSync(join(folder, "instrumented.json"), JSON.stringify(Object.fromEntries(instrumented)))
  const resultsFile = join(folder, "results.jsonl")
  if (!existsSync(resultsFile)) writeFileSync(resultsFile, "")
  const results = () => readResults(resultsFile)

  /**
   * @param {ReadonlyArray<string>} words that a test file's path has one of; none means every file
   * @param {boolean} resume leaves out the tests that the last run was through with, for one that was stopped
   */
  const run = async (words, resume) => {
    const testFiles = scope.tests.flatMap((path) => filesBelow(path, ".test.ts"))
      .filter((file) => !leftOut.test(file) && (words.length === 0 || words.some((word) => file.includes(word))))
      .sort((a, b) => weight(a) - weight(b))
    const start = resume ? 0 : results().length
    // What quick tests notice, long ones need not run for.
    for (const longestTest of [150, 2_000]) await runPass(testFiles, longestTest, start)
  }

  /** Mutants that take effect while modules load need a process each. */
  const runAtLoad = async () => {
    const all = results()
    const loadedBy = all.flatMap(({ file, reached = [], status }) =>
      status === "static" && file !== undefined ? [{ file, keys: new Set(reached) }] : []
    )
    const tried = new Set(all.flatMap(({ key, status }) => status === "survived at load" ? [key] : []))
    for (const [mutant, fate] of fates(mutants, all)) {
      if (fate !== "at load" || tried.has(mutant.key)) continue
      const files = nearest(mutant, loadedBy.filter(({ keys }) => keys.has(mutant.key)).map(({ file }) => file))
      const { code, output } = await runNode(vitestArgs, {
        env: { MUTATION_SESSION: folder, MUTATION_FILES: JSON.stringify(files), __STRYKER_ACTIVE_MUTANT__: mutant.id },
        timeoutMillis: 120_000
      })
      const status = code === 0 ? "survived at load" : "killed"
      const reason = /(?:Error|FAIL).*/.exec(output)?.[0].slice(0, 200)
      appendFileSync(resultsFile, `${JSON.stringify({ status, key: mutant.key, test: files.join(), reason })}\n`)
    }
  }

  /**
   * @param {ReadonlyArray<string>} testFiles
   * @param {number} longestTest in milliseconds of processor time
   * @param {number} start the results that belong to this run begin here
   */
  const runPass = async (testFiles, longestTest, start) => {
    const passStart = results().length
    for (;;) {
      const all = results()
      const finished = new Set(all.slice(passStart).flatMap(({ file, status }) => status === "file" ? [file] : []))
      const remaining = testFiles.filter((file) => !finished.has(file))
      if (remaining.length === 0) return
      const done = all.slice(start).flatMap(({ millis = 0, status, test }) => {
        const isThrough = status === "done" || status === "broken" || (status === "long" && millis > longestTest)
        return isThrough && test !== undefined ? [test] : []
      })
      const hung = await runVitest(folder, remaining, done, longestTest)
      if (hung !== undefined) {
        appendFileSync(resultsFile, `${JSON.stringify({ ...hung, status: "timeout", reason: "a loop without end" })}\n`)
      } else if (results().length === all.length) throw new Error("Vitest ran no test")
    }
  }
  return { mutants, results, run, runAtLoad }
}

/**
 * The test files that would be the first to notice: those named after the source, or after the folder it is internal to,
 * and then the smallest.
 *
 * @param {import("./Mutants.mjs").Mutant} mutant
 * @param {ReadonlyArray<string>} files
 */
const nearest = (mutant, files) => {
  const words = mutant.file.toLowerCase().split(/[/.]/).slice(3, -1)
  /** @param {string} file */
  const distance = (file) => words.some((word) => file.toLowerCase().includes(word)) ? 0 : 1e12
  return [...new Set(files)].sort((a, b) => distance(a) + weight(a) - distance(b) - weight(b)).slice(0, mostFilesAtLoad)
}
const mostFilesAtLoad = 6

/** Property tests and simulations run longest. */
const weight = (/** @type {string} */ file) =>
  statSync(join(root, file)).size + (/property|simulation|storm|Memory/.test(file) ? 1e9 : 0)

/**
 * @param {string} folder
 * @param {string} suffix
 * @returns {Array<string>}
 */
const filesBelow = (folder, suffix) =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? filesBelow(path, suffix) : path.endsWith(suffix) ? [path] : []
  })

/**
 * Runs the files, and stops them when a mutant loops without ever yielding; answers with that mutant.
 *
 * @param {string} folder
 * @param {ReadonlyArray<string>} files
 * @param {ReadonlyArray<string>} done
 * @param {number} longestTest
 * @returns {Promise<{ readonly key: string, readonly test: string } | undefined>}
 */
const runVitest = (folder, files, done, longestTest) =>
  new Promise((resolve, reject) => {
    const progressFile = join(folder, "progress")
    // Too long for an environment.
    writeFileSync(join(folder, "done.json"), JSON.stringify(done))
    rmSync(progressFile, { force: true })
    const child = spawn(
      process.execPath,
      vitestArgs,
      {
        cwd: root,
        detached: true,
        env: workspaceEnv({
          MUTATION_SESSION: folder,
          MUTATION_FILES: JSON.stringify(files),
          MUTATION_LONGEST_TEST: String(longestTest)
        }),
        stdio: ["ignore", "ignore", "pipe"]
      }
    )
    let errors = ""
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      errors = `${errors}${chunk}`.slice(-4_000)
    })
    let last = ""
    let since = performance.now()
    /** @type {{ readonly key: string, readonly test: string } | undefined} */
    let hung
    const timer = setInterval(() => {
      const text = existsSync(progressFile) ? readFileSync(progressFile, "utf8").trim() : ""
      if (text !== last) {
        last = text
        since = performance.now()
        return
      }
      if (text === "") return
      const { key, limitMillis, test } = JSON.parse(text)
      // The runner sees to everything that yields; this leaves it ample time.
      if (key === "" || performance.now() - since < 3 * limitMillis + 10_000) return
      hung = { key, test }
      stop()
    }, 500)
    const stop = () => {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-/** @type {number} */ (child.pid), "SIGKILL")
      }
    }
    // Signals end this process by way of its exit, see Subprocess.mjs.
    process.once("exit", stop)
    child.once("error", reject)
    child.once("close", () => {
      clearInterval(timer)
      process.removeListener("exit", stop)
      if (errors !== "" && hung === undefined) {
        process.stderr.write(errors)
      }
      resolve(hung)
    })
  })

import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Entry } from "./Entry.ts"
import { requestOf } from "./Observation.ts"

/** What curl wrote of one transfer, as it came. */
export interface Transfer {
  readonly exitCode: number
  readonly status: number
  readonly statusLine: string
  readonly headers: ReadonlyMap<string, string>
  /** The body, taken out of its chunks where it came in chunks. */
  readonly body: Buffer
  /** Whether the chunks came to their end. */
  readonly isWhole: boolean
}

/** Seconds for a transfer that ends by itself, and for one that never does. */
const enough = 60
const leaving = [1, 8, 30]

/**
 * Sends the request of every entry with `curl -i --raw`, each on a connection of its own. One that never ends is left to
 * curl's own limit of time, and repeated with a longer one if the machine was too busy to show all of it.
 */
export const curlAll = (
  urlOf: (entry: Entry) => string,
  entries: ReadonlyArray<Entry>
): Effect.Effect<ReadonlyMap<Entry, Transfer>> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "curl-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true }))
    )
    const transfers = new Map<Entry, Transfer>()
    for (const seconds of leaving) {
      const missing = entries.filter((entry) => {
        const transfer = transfers.get(entry)
        return transfer === undefined || (entry.leaves !== undefined && described(entry, transfer) !== entry.curl)
      })
      if (missing.length === 0) break
      const some = yield* Effect.promise((signal) => curl(urlOf, missing, { folder, seconds, signal }))
      for (const [entry, transfer] of some) transfers.set(entry, transfer)
    }
    return transfers
  }).pipe(Effect.scoped)

const curl = async (urlOf: (entry: Entry) => string, entries: ReadonlyArray<Entry>, { folder, seconds, signal }: {
  readonly folder: string
  readonly seconds: number
  readonly signal: AbortSignal
}) => {
  const fileOf = (index: number) => join(folder, `${seconds}-${index}`)
  const config = entries.map((entry, index) =>
    [
      `url = "${urlOf(entry)}/v1/messages"`,
      `output = "${fileOf(index)}"`,
      `write-out = "${index} %{exitcode} %{http_code}\n"`,
      `max-time = ${entry.leaves === undefined ? enough : seconds}`,
      "include",
      "raw",
      "silent",
      // A curl that finds a connection closed which it used before sends its request again.
      ...["content-type: application/json", "x-api-key: sk-test", "connection: close"].map((header) =>
        `header = ${JSON.stringify(header)}`
      ),
      `data = ${JSON.stringify(JSON.stringify({ ...requestOf(entry), stream: entry.stream === true }))}`
    ].join("\n")
  ).join("\nnext\n")
  const configFile = join(folder, `${seconds}.conf`)
  await writeFile(configFile, `parallel\nparallel-immediate\nparallel-max = 40\n${config}`)
  const output = await new Promise<string>((resolve, reject) => {
    // The code of the process is that of one of its transfers; each says its own on standard output.
    execFile("curl", ["--disable", "--config", configFile], { signal }, (error, stdout) => {
      if (error !== null && typeof error.code !== "number") reject(new Error("curl cannot be run", { cause: error }))
      else resolve(stdout)
    })
  })
  const codes = new Map(
    output.trim().split("\n").map((line) => {
      const [index = -1, ...codes] = line.split(" ").map(Number)
      return [index, codes] as const
    })
  )
  return Promise.all(entries.map(async (entry, index): Promise<readonly [Entry, Transfer]> => {
    const [exitCode = -1, status = -1] = codes.get(index) ?? []
    const bytes = await readFile(fileOf(index)).catch(() => Buffer.alloc(0))
    return [entry, { exitCode, status, ...taken(bytes) }]
  }))
}

const taken = (bytes: Buffer): Omit<Transfer, "exitCode" | "status"> => {
  const end = bytes.indexOf("\r\n\r\n")
  const [statusLine = "", ...lines] = bytes.subarray(0, Math.max(0, end)).toString("latin1").split("\r\n")
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
  }))
  const rest = end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 4)
  const isChunked = headers.get("Transfer-Encoding") === "chunked"
  return { statusLine, headers, ...(isChunked ? unchunked(rest) : { body: rest, isWhole: true }) }
}

const unchunked = (bytes: Buffer): { readonly body: Buffer; readonly isWhole: boolean } => {
  const chunks: Array<Buffer> = []
  let at = 0
  while (true) {
    const end = bytes.indexOf("\r\n", at)
    const size = end < 0 ? Number.NaN : Number.parseInt(bytes.subarray(at, end).toString("latin1"), 16)
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), isWhole: false }
    if (size === 0) return { body: Buffer.concat(chunks), isWhole: true }
    chunks.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

/** How a transfer ended: curl's exit code, the status if one came, and for a stream the number of whole events. */
export const described = (entry: Entry, { body, exitCode, status }: Transfer): string =>
  [
    exitCode,
    ...(status === 0 ? [] : [status]),
    ...(entry.stream === true ? [`${eventsIn(body)} events`] : [])
  ].join(" ")

const eventsIn = (body: Buffer): number =>
  body.toString("utf8").replace(/^\ufeff/, "").replace(/\r\n|\r/g, "\n").split("\n\n").slice(0, -1)
    .filter((event) => /^event: (?!ping)/m.test(event)).length

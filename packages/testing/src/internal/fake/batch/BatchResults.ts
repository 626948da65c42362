import * as Effect from "effect/Effect"
import { interruptAnswer } from "../BodyAnswer.ts"
import type { ResponseHeaders } from "../Connection.ts"
import type { Exchange } from "../Exchange.ts"
import type { BatchPlan } from "./BatchSchema.ts"

/** What goes wrong with one download. */
export type ResultsFault = NonNullable<(typeof BatchPlan.Type)["results"]>[number]

const blockSize = 64 * 1024

/** The lines with the plan's own among them or in their place. */
function* edited(lines: Iterable<string>, { edits = [] }: ResultsFault): Generator<string, void, undefined> {
  let number = 0
  for (const line of lines) {
    number++
    const here = edits.filter((edit) => edit.line === number)
    for (const { how, text } of here) {
      if (how === "insert") yield text
    }
    yield here.find(({ how }) => how === "replace")?.text ?? line
  }
}

/** So much of the file as is sent, in blocks: it is never in memory as a whole. */
function* blocks(lines: Iterable<string>, limits: { readonly lines: number; readonly bytes: number }) {
  let pieces: Array<Buffer> = []
  let size = 0
  let left = limits.bytes
  let number = 0
  for (const line of lines) {
    if (number++ === limits.lines || left === 0) break
    const piece = Buffer.from(`${line}\n`).subarray(0, left)
    left -= piece.length
    pieces.push(piece)
    size += piece.length
    if (size < blockSize) continue
    yield Buffer.concat(pieces)
    pieces = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(pieces)
}

/** Sends a results file, or as much of it as the fault lets through. */
export const sendResults = (exchange: Exchange, file: {
  readonly headers: ResponseHeaders
  readonly lines: Iterable<string>
  readonly size: number
  readonly fault: ResultsFault
}): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { fault, headers, lines, size } = file
    yield* exchange.head(200, { "content-type": "application/x-jsonl", ...headers })
    yield* exchange.flushHead
    const half = fault.afterBytes === undefined ? Math.floor(size / 2) : Infinity
    const limits = fault.how === undefined
      ? { lines: Infinity, bytes: Infinity }
      : { lines: fault.afterLines ?? half, bytes: fault.afterBytes ?? Infinity }
    for (const block of blocks(edited(lines, fault), limits)) yield* exchange.write(block)
    yield* fault.how === undefined ? exchange.end() : interruptAnswer(exchange, { how: fault.how })
  })

/** How long a line of a body was, in bytes, and how long what was put in its place is. */
export interface LineSizes {
  readonly before: number
  readonly after: number
}

const nothing: LineSizes = { before: 0, after: 0 }

/**
 * Where the pieces of a body end after some of its lines were changed: each at the same place of the same line, or at the
 * end of that line if it has become shorter. Pieces of which nothing is left are gone.
 */
export const movedChunks = (
  chunks: ReadonlyArray<readonly [at: number, bytes: number]>,
  lines: ReadonlyArray<LineSizes>
): ReadonlyArray<readonly [at: number, bytes: number]> => {
  const out: Array<readonly [number, number]> = []
  let line = 0
  let start = nothing
  let sizes = lines[0] ?? nothing
  const moved = (end: number): number => {
    while (line < lines.length - 1 && end > start.before + sizes.before) {
      start = { before: start.before + sizes.before, after: start.after + sizes.after }
      sizes = lines[++line] ?? nothing
    }
    const within = end - start.before
    // What comes after the lines, such as half a character, is as long as it was.
    const beyond = Math.max(0, within - sizes.before)
    return start.after + (within >= sizes.before ? sizes.after : Math.min(within, sizes.after)) + beyond
  }
  let end = 0
  let sent = 0
  for (const [at, bytes] of chunks) {
    end += bytes
    const movedEnd = moved(end)
    if (movedEnd > sent) out.push([at, movedEnd - sent])
    sent = movedEnd
  }
  return out
}

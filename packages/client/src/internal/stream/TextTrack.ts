/** The text that a stream has emitted, block by block, so that it can be told what a restart takes back of it. */
export interface TextTrack {
  readonly add: (index: number, text: string) => void
  /** Forgets the blocks from this index on, and tells whether there was text in them. */
  readonly cut: (from: number) => boolean
  readonly text: () => string
}

export const makeTextTrack = (): TextTrack => {
  const blocks = new Map<number, string>()
  return {
    add: (index, text) => {
      if (text !== "") blocks.set(index, (blocks.get(index) ?? "") + text)
    },
    cut: (from) => {
      const before = blocks.size
      for (const index of blocks.keys()) if (index >= from) blocks.delete(index)
      return blocks.size < before
    },
    text: () => [...blocks].sort(([one], [other]) => one - other).map(([, text]) => text).join("")
  }
}

/** How many letters in a row are enough to call a text an echo of another. */
export const gram = 12

/** Where each run of `gram` letters stands, found by a hash that can be kept up letter by letter. */
export interface GramIndex {
  /** Whether anything is left to be found. */
  readonly isEmpty: () => boolean
  /** A reader for the letters of one source, which reports the place of every run that it shares with the index. */
  readonly reader: (found: (place: number) => void) => (letter: number) => void
}

const multiplier = 0x01000193
const leaving = Array.from({ length: gram }).reduce<number>((power) => Math.imul(power, multiplier), 1)

// Most runs of a source are in no index; a sparse table that fits the processor's cache says so before the map is asked.
const slotsPerLetter = 32
const sizeOfFilter = (letters: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, letters) * slotsPerLetter))

const ringSize = 16

export const makeGramIndex = (letters: ReadonlyArray<number>): GramIndex => {
  const filter = new Uint8Array(letters.length < gram ? 1 : Math.min(1 << 16, sizeOfFilter(letters.length)))
  const slot = (hash: number): number => (hash ^ (hash >>> 16)) & (filter.length - 1)
  const places = new Map<number, Array<number>>()

  for (let place = 0; place + gram <= letters.length; place++) {
    let hash = 0
    for (let i = 0; i < gram; i++) hash = (Math.imul(hash, multiplier) + (letters[place + i] ?? 0)) | 0
    filter[slot(hash)] = 1
    const known = places.get(hash)
    if (known === undefined) places.set(hash, [place])
    else known.push(place)
  }

  const reader = (found: (place: number) => void) => {
    const ring = new Uint16Array(ringSize)
    let hash = 0
    let count = 0

    const isAt = (place: number): boolean => {
      for (let i = 0; i < gram; i++) {
        if (ring[(count - gram + i) & (ringSize - 1)] !== letters[place + i]) return false
      }
      return true
    }

    return (letter: number): void => {
      const left = ring[(count - gram) & (ringSize - 1)] ?? 0
      ring[count & (ringSize - 1)] = letter
      count++
      hash = (Math.imul(hash, multiplier) + letter - Math.imul(left, leaving)) | 0
      if (count < gram || filter[slot(hash)] === 0) return
      const here = places.get(hash)
      if (here === undefined) return
      const others = here.filter((place) => !isAt(place))
      if (others.length === here.length) return
      for (const place of here) {
        if (!others.includes(place)) found(place)
      }
      // Once is enough: a source that repeats itself would be compared again and again.
      if (others.length === 0) places.delete(hash)
      else places.set(hash, others)
    }
  }

  return { isEmpty: () => places.size === 0, reader }
}

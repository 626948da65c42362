/** The first 32 bits of the fractional parts of a root of each of the first 64 primes: what FIPS 180-4 starts from. */
const fractions = (root: number, count: number): Uint32Array => {
  const out = new Uint32Array(count)
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let isPrime = true
    for (let divisor = 2; divisor * divisor <= candidate && isPrime; divisor++) isPrime = candidate % divisor !== 0
    if (isPrime) out[found++] = (candidate ** (1 / root) % 1) * 2 ** 32
  }
  return out
}

const blockSize = 64
const lengthSize = 8

let constants: { readonly state: Uint32Array; readonly rounds: Uint32Array } | undefined

/** The bytes, a 1 bit, zeros, and the number of bits, in whole blocks. */
const padded = (bytes: Uint8Array): DataView => {
  const size = Math.ceil((bytes.length + 1 + lengthSize) / blockSize) * blockSize
  const all = new Uint8Array(size)
  all.set(bytes)
  all[bytes.length] = 0x80
  const view = new DataView(all.buffer)
  view.setBigUint64(size - lengthSize, BigInt(bytes.length) * 8n)
  return view
}

const rotated = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

const at = (words: Uint32Array, index: number): number => words[index] ?? 0

const expand = (words: Uint32Array, block: DataView, offset: number): void => {
  for (let i = 0; i < 16; i++) words[i] = block.getUint32(offset + i * 4)
  for (let i = 16; i < 64; i++) {
    const near = at(words, i - 15)
    const far = at(words, i - 2)
    const small = rotated(near, 7) ^ rotated(near, 18) ^ (near >>> 3)
    const large = rotated(far, 17) ^ rotated(far, 19) ^ (far >>> 10)
    words[i] = at(words, i - 16) + small + at(words, i - 7) + large
  }
}

const compress = (state: Uint32Array, words: Uint32Array, rounds: Uint32Array): void => {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const sigmaE = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
    const choice = (e & f) ^ (~e & g)
    const first = (h + sigmaE + choice + at(rounds, i) + at(words, i)) | 0
    const sigmaA = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + sigmaA + majority) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = at(state, i) + word
}

/** SHA-256 in plain JavaScript: WebCrypto has it only as a promise, and not every runtime has Node's. */
export const portable = (bytes: Uint8Array): string => {
  const { rounds, state: initial } = constants ??= { state: fractions(2, 8), rounds: fractions(3, 64) }
  const state = Uint32Array.from(initial)
  const words = new Uint32Array(64)
  const blocks = padded(bytes)
  for (let offset = 0; offset < blocks.byteLength; offset += blockSize) {
    expand(words, blocks, offset)
    compress(state, words, rounds)
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("")
}

interface NodeCrypto {
  readonly createHash: (algorithm: "sha256") => {
    readonly update: (bytes: Uint8Array) => { readonly digest: (encoding: "hex") => string }
  }
}

interface NodeLike {
  readonly process?: { readonly getBuiltinModule?: (name: "node:crypto") => NodeCrypto | undefined }
}

/** Node's own where it can be had without an import that a browser bundle would choke on: ten times as fast. */
const native = (): NodeCrypto | undefined => (globalThis as NodeLike).process?.getBuiltinModule?.("node:crypto")

export const sha256 = (text: string): string => {
  const bytes = new TextEncoder().encode(text)
  return native()?.createHash("sha256").update(bytes).digest("hex") ?? portable(bytes)
}

import type { MessageRequest } from "../../ClaudeService.ts"
import { property } from "../foreignError.ts"

/** What a call was taken to cost in tokens, and what it did. */
export interface TokenCosts {
  readonly input: number
  readonly output: number
}

const weight = 1 / 8
/** Learned averages lie below half of the calls. */
const surplus = 1.1
/** What an answer is taken for before any was seen; answers of a chat are shorter. */
const firstOutput = 500

interface Learned {
  /** How the input that counts compares with its estimate, with and without a prompt cache. */
  cached: number | undefined
  uncached: number | undefined
  output: number | undefined
}

const mean = (known: number | undefined, seen: number): number =>
  known === undefined ? seen : known + (seen - known) * weight

const isMarked = (value: unknown): boolean => {
  if (typeof value !== "object") return false
  if (Array.isArray(value)) return value.some(isMarked)
  if (property(value, "cache_control") !== undefined) return true
  const content = property(value, "content")
  return Array.isArray(content) && content.some(isMarked)
}

/** Whether a request asks for the prompt cache, reads of which count toward no limit. */
export const usesCache = (request: MessageRequest): boolean => {
  try {
    return property(request, "cache_control") !== undefined
      || isMarked(request.system)
      || isMarked(request.tools)
      || isMarked(request.messages)
  } catch {
    // A circle.
    return false
  }
}

/** What the answers so far have taught about the costs of the next call, by key, for the keys used most lately. */
export class LearnedCosts {
  private readonly known = new Map<string, Learned>()
  private readonly maxKeys: number
  private lastKey: string | undefined

  constructor(maxKeys: number) {
    this.maxKeys = maxKeys
  }

  input(key: string, estimate: number, isCached: boolean): number {
    const learned = this.known.get(key)
    const ratio = isCached ? learned?.cached : learned?.uncached
    return Math.ceil(estimate * (ratio === undefined ? 1 : Math.min(1.5, ratio * surplus)))
  }

  output(key: string, maxTokens: number): number {
    return Math.min(maxTokens, Math.ceil(this.known.get(key)?.output ?? firstOutput))
  }

  learn(key: string, estimate: number, isCached: boolean, actual: TokenCosts): void {
    const learned = this.known.get(key) ?? { cached: undefined, uncached: undefined, output: undefined }
    if (estimate > 0) {
      const ratio = actual.input / estimate
      if (isCached) learned.cached = mean(learned.cached, ratio)
      else learned.uncached = mean(learned.uncached, ratio)
    }
    learned.output = mean(learned.output, actual.output)
    // In its place already.
    if (key === this.lastKey) return
    this.lastKey = key
    this.known.delete(key)
    this.known.set(key, learned)
    if (this.known.size > this.maxKeys) {
      const [oldest] = this.known.keys()
      if (oldest !== undefined) this.known.delete(oldest)
    }
  }
}

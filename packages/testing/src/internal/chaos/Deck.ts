import type { StepCall } from "../script/Step.ts"
import { ContentCounter, digest, uniform } from "./Dice.ts"
import type { Call, Injection, NumberRange } from "./Injection.ts"
import { isOpen } from "./Window.ts"

/** An injection that happens to a call. */
export interface Hit<R> {
  readonly injection: Injection<R>
  /** A number of the range, the same for the same call. */
  readonly draw: (range: NumberRange, purpose: string) => number
}

/** What happens to a call, and the call as a step of a script knows it. */
export interface Dealt<R> {
  readonly hits: ReadonlyArray<Hit<R>>
  readonly stepCall: StepCall
}

const appliesTo = ({ action }: Injection<unknown>, method: Call["method"]): boolean => {
  switch (action._tag) {
    case "fault":
    case "behavior":
      return true
    case "latency":
      return action.at === "headers" || method === "streamMessage"
    case "outcome":
      // A count has nothing that could be cut short or refused, but its answer can get lost.
      return action.change._tag === "break" || method !== "countTokens"
  }
}

/** Decides what happens to each call, from the seed, its content, and how often that has come. */
export class Deck<R> {
  readonly #counter = new ContentCounter()
  readonly #salted: ReadonlyArray<{ readonly injection: Injection<R>; readonly salt: string }>
  readonly #seed: string

  constructor(seed: string, injections: ReadonlyArray<Injection<R>>) {
    const seen = new Map<string, number>()
    this.#seed = seed
    this.#salted = injections.map((injection) => {
      const earlier = seen.get(injection.name) ?? 0
      seen.set(injection.name, earlier + 1)
      return { injection, salt: `${seed}/${injection.name}/${earlier}` }
    })
  }

  /** What happens to a call that comes so many milliseconds after the chaos was turned on. */
  deal(call: Call, elapsed: number): Dealt<R> {
    const { content, count } = this.#counter.next(call.method, call.request)
    const key = `${content}.${count}`
    const hits: Array<Hit<R>> = []
    for (const { injection, salt } of this.#salted) {
      if (!appliesTo(injection, call.method) || !isOpen(injection.window, elapsed)) continue
      if (injection.calls !== undefined && !injection.calls(call)) continue
      if (uniform(`${salt}/${key}`) >= injection.rate) continue
      hits.push({
        injection,
        draw: ({ max, min }, purpose) => min + (max - min) * uniform(`${salt}/${key}/${purpose}`)
      })
    }
    const { attempt, options, request } = call
    return {
      hits,
      stepCall: {
        method: call.method,
        number: count,
        attempt,
        model: request.model,
        requestId: `req_chaos_${digest(`${this.#seed}/${key}`)}`,
        request,
        options
      }
    }
  }
}

import type { ResilienceEvent } from "@effect-claude/resilience/ResilienceEvent"

const nameOf = (event: ResilienceEvent): string => "reason" in event ? `${event._tag}(${event.reason})` : event._tag

/** What the policies decided, counted for each second, and where the concurrency limit stood. */
export class EventTally {
  readonly #counts = new Map<string, Array<number>>()
  readonly #limits: Array<number> = []
  #startedAt = performance.now()

  start(): void {
    this.#startedAt = performance.now()
    this.#counts.clear()
    this.#limits.length = 0
  }

  readonly listener = (event: ResilienceEvent): void => {
    const second = Math.floor((performance.now() - this.#startedAt) / 1000)
    if (event._tag === "ConcurrencyLimitChanged") this.#limits[second] = event.to
    const name = nameOf(event)
    const counts = this.#counts.get(name) ?? []
    this.#counts.set(name, counts)
    counts[second] = (counts[second] ?? 0) + 1
  }

  /** A line for each kind of event, a number for each second. */
  lines(): ReadonlyArray<string> {
    const row = (name: string, values: ReadonlyArray<number>) =>
      `  ${name.padEnd(36)}${Array.from(values, (value) => String(value ?? ".").padStart(4)).join("")}`
    return [
      ...[...this.#counts].sort(([a], [b]) => a.localeCompare(b)).map(([name, counts]) => row(name, counts)),
      ...(this.#limits.length === 0 ? [] : [row("concurrency limit", this.#limits)])
    ]
  }
}

import * as Effect from "effect/Effect"

/** Lets fibers wait until something holds of a state that is changed from outside of Effect. */
export class Changes {
  readonly #waiting = new Set<() => void>()

  /** To be called after each change. */
  announce(): void {
    for (const check of this.#waiting) check()
  }

  /** Completes as soon as the condition holds; it is looked at again after every change. */
  awaitUntil(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (condition()) return resume(Effect.void)
      const check = () => {
        if (!condition()) return
        this.#waiting.delete(check)
        resume(Effect.void)
      }
      this.#waiting.add(check)
      return Effect.sync(() => {
        this.#waiting.delete(check)
      })
    })
  }
}

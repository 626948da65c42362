import * as Effect from "effect/Effect"

/** How many turns of the event loop in a row find nothing to do: a blob that is read leaves one of them empty. */
const quietTurns = 3

/** The same where a runtime does not tell. The SDK over a `fetch` in memory needs one or two turns for a call, a fiber one for each fork. */
const blindTurns = 50

let waiting = 0

/** How many immediates wait, or `undefined` where the runtime does not tell. Effect runs its fibers in immediates. */
const immediates: () => number | undefined = typeof globalThis.process?.getActiveResourcesInfo === "function"
  ? () => process.getActiveResourcesInfo().filter((resource) => resource === "Immediate").length
  : () => undefined

/**
 * Waits until no fiber and no promise of this process has anything left to do: all wait for time, for each other, or for the
 * world outside. Takes three turns of the event loop, a few microseconds, when that is so already. Ends early when `isOver`.
 *
 * Promises are done when a turn begins, so immediates are all that can be left, those of other waits like this one not counted.
 */
export const quiet = (isOver: () => boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let found = 0
    let handle: NodeJS.Immediate | undefined
    const wait = () => {
      waiting++
      handle = setImmediate(turn)
    }
    const turn = () => {
      waiting--
      handle = undefined
      const pending = immediates()
      found = pending === undefined || pending <= waiting ? found + 1 : 0
      if (isOver() || found >= (pending === undefined ? blindTurns : quietTurns)) resume(Effect.void)
      else wait()
    }
    wait()
    return Effect.sync(() => {
      if (handle === undefined) return
      waiting--
      clearImmediate(handle)
    })
  })

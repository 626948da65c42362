import * as Stream from "effect/Stream"
import type { BatchItems } from "../../BatchJob.ts"
import type { BatchItem } from "../../ClaudeBatches.ts"

// One at a time: items may be large, and what is read ahead is memory.
export const streamOf = <E, R>(items: BatchItems<E, R>): Stream.Stream<BatchItem, E, R> =>
  Stream.isStream(items) ? items : Stream.suspend(() => Stream.fromIterable(items, { chunkSize: 1 }))

/** Whether the items are used up by the first reading: a generator gives itself as its iterator. */
export const isReadOnce = (items: BatchItems<unknown, unknown>): boolean => {
  if (Stream.isStream(items)) return false
  const iterator: unknown = items[Symbol.iterator]()
  return iterator === items
}

/** Items that can be read several times; throws at others. */
export const reread = <E, R>(owner: string, items: BatchItems<E, R>): BatchItems<E, R> => {
  if (isReadOnce(items)) {
    throw new RangeError(
      `${owner}: the items must be readable more than once: an array, a stream, or an iterable that makes a new iterator`
    )
  }
  return items
}

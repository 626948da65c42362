import type { ClaudeBatchesShape } from "@effect-claude/client/ClaudeBatches"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { CassetteMismatchError } from "../../CassetteError.ts"

/** The mismatch behind an error that a client has made of it. */
export type FindMismatch = (error: unknown) => CassetteMismatchError | undefined

const effect = (find: FindMismatch) => <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  self.pipe(Effect.catch((error) => {
    const mismatch = find(error)
    return mismatch === undefined ? Effect.fail(error) : Effect.die(mismatch)
  }))

const stream = (find: FindMismatch) => <A, E>(self: Stream.Stream<A, E>): Stream.Stream<A, E> =>
  self.pipe(Stream.catch((error) => {
    const mismatch = find(error)
    return mismatch === undefined ? Stream.fail(error) : Stream.die(mismatch)
  }))

/** A request that is on no cassette is a mistake of the test: a defect, so that no policy hides it. */
export const claudeWithDefects = (claude: ClaudeServiceShape, find: FindMismatch): ClaudeServiceShape => ({
  ...claude,
  createMessage: (request, options) => effect(find)(claude.createMessage(request, options)),
  streamMessage: (request, options) => stream(find)(claude.streamMessage(request, options)),
  countTokens: (request, options) => effect(find)(claude.countTokens(request, options))
})

/** The same for batches. */
export const batchesWithDefects = (batches: ClaudeBatchesShape, find: FindMismatch): ClaudeBatchesShape => ({
  ...batches,
  create: (items, options) => effect(find)(batches.create(items, options)),
  retrieve: (id, options) => effect(find)(batches.retrieve(id, options)),
  list: (options) => stream(find)(batches.list(options)),
  cancel: (id, options) => effect(find)(batches.cancel(id, options)),
  delete: (id, options) => effect(find)(batches.delete(id, options)),
  results: (id, options) => stream(find)(batches.results(id, options))
})

import * as Effect from "effect/Effect"
import type { KeyValueStoreError } from "effect/persistence/KeyValueStore"
import * as Schema from "effect/Schema"
import type { CallState, OpenRun, ToolLedger } from "../../ToolLedger.ts"
import { ToolLedgerError } from "../../ToolLedgerError.ts"
import { Entry, ToolResult } from "../../ToolRecord.ts"
import { type RecordCodec, recordCodec } from "./record.ts"
import { uniqueId } from "./uniqueId.ts"

/** What a ledger is kept in. A text that was set is there for every later `get`. */
export interface RecordStore {
  readonly get: (key: string) => Effect.Effect<string | undefined, KeyValueStoreError>
  readonly set: (key: string, text: string) => Effect.Effect<void, KeyValueStoreError>
  readonly clearPrefix: (prefix: string) => Effect.Effect<void, KeyValueStoreError>
}

const Started = Schema.Struct({ tool: Schema.String, attempt: Schema.Int })

/**
 * The records of one run. A key is written once and what is there is never changed, so that a writer that is killed can spoil
 * nothing but the record it was writing; and each record is written before what it allows: the answer before its tools, the
 * start of a tool before the tool, its result before the results of the step. Only the owner is written again: whoever opened
 * the run last.
 */
class JournalledRun {
  readonly runId: string
  readonly #store: RecordStore
  readonly #prefix: string
  readonly #entry
  readonly #started
  readonly #released
  readonly #finished
  readonly #owner

  constructor(store: RecordStore, runId: string) {
    this.runId = runId
    this.#store = store
    this.#prefix = prefixOf(runId)
    this.#entry = recordCodec(runId, Entry)
    this.#started = recordCodec(runId, Started)
    this.#released = recordCodec(runId, Schema.Null)
    this.#finished = recordCodec(runId, ToolResult)
    this.#owner = recordCodec(runId, Schema.String)
  }

  entries(): Effect.Effect<ReadonlyArray<Entry>, ToolLedgerError> {
    return Effect.gen({ self: this }, function*() {
      const entries: Array<Entry> = []
      while (true) {
        const key = entryKey(entries.length)
        const entry = yield* this.#read(key, this.#entry)
        if (entry === undefined) {
          // The last record may be missing or torn, one before it may not: then something else has been lost.
          if ((yield* this.#get(entryKey(entries.length + 1))) === undefined) return entries
          return yield* this.#fail("corrupt", key, "it is not there as a whole, and the one after it is there")
        }
        entries.push(entry)
      }
    })
  }

  find(idempotencyKey: string): Effect.Effect<CallState | undefined, ToolLedgerError> {
    return Effect.gen({ self: this }, function*() {
      const result = yield* this.#read(callKey(idempotencyKey, "finished"), this.#finished)
      if (result !== undefined) return { _tag: "Finished", result }
      let attempt = 0
      // A torn start is none: the tool runs after it was written.
      while ((yield* this.#read(attemptKey(idempotencyKey, attempt + 1, "started"), this.#started)) !== undefined) {
        attempt++
      }
      if (attempt === 0) return undefined
      const released = yield* this.#read(attemptKey(idempotencyKey, attempt, "released"), this.#released)
      return { _tag: released === undefined ? "Open" : "Released", attempt }
    })
  }

  open(): Effect.Effect<OpenRun, ToolLedgerError> {
    return Effect.gen({ self: this }, function*() {
      const token = yield* uniqueId
      // First the owner and then the look at what there is, while the one before does it the other way round: it says that a
      // tool starts and then looks who owns the run. So one of the two sees the other, and no call is run by both.
      yield* this.#write(ownerKey, this.#owner, token)
      const entries = yield* this.entries()
      let next = entries.length
      /** The attempts that began here. Another process may have begun the next one of the same call since. */
      const own = new Map<string, number>()

      const whileOwned = Effect.flatMap(this.#get(ownerKey), (text) => {
        const owner = this.#owner.read(text)
        return owner._tag === "Whole" && owner.value === token
          ? Effect.void
          : this.#fail("takenOver", ownerKey, "another process has opened it since")
      })
      const append = (entry: Entry) =>
        Effect.gen({ self: this }, function*() {
          yield* whileOwned
          yield* this.#write(entryKey(next), this.#entry, entry)
          next++
        })
      return {
        entries,
        append,
        find: (key) => this.find(key),
        start: (key, { attempt, tool }) =>
          Effect.andThen(
            this.#write(attemptKey(key, attempt, "started"), this.#started, { tool, attempt }),
            Effect.tap(whileOwned, () => Effect.sync(() => own.set(key, attempt)))
          ),
        finish: (key, result) => this.#write(callKey(key, "finished"), this.#finished, result),
        release: (key) =>
          Effect.flatMap(this.find(key), (state) =>
            state?._tag === "Open"
              ? this.#write(attemptKey(key, own.get(key) ?? state.attempt, "released"), this.#released, null)
              : Effect.void)
      }
    })
  }

  forget(): Effect.Effect<void, ToolLedgerError> {
    return Effect.mapError(
      Effect.uninterruptible(this.#store.clearPrefix(this.#prefix)),
      (cause) => this.#error("write", "", "it could not be removed", cause)
    )
  }

  #read<A>(
    key: string,
    codec: RecordCodec<A>
  ): Effect.Effect<A | undefined, ToolLedgerError> {
    return Effect.flatMap(this.#get(key), (text) => {
      const found = codec.read(text)
      switch (found._tag) {
        case "Whole":
          return Effect.succeed(found.value)
        case "Corrupt":
          return this.#fail("corrupt", key, found.issue)
        case "Missing":
        case "Torn":
          return Effect.undefined
      }
    })
  }

  #get(key: string): Effect.Effect<string | undefined, ToolLedgerError> {
    return Effect.mapError(
      this.#store.get(this.#prefix + key),
      (cause) => this.#error("read", key, "it could not be read", cause)
    )
  }

  /** What has no form as JSON, such as a bigint in the content of a tool, cannot be kept. */
  #write<A>(key: string, codec: RecordCodec<A>, value: A): Effect.Effect<void, ToolLedgerError> {
    return Effect.flatMap(
      Effect.try({
        try: () => codec.write(value),
        catch: () => this.#error("write", key, "what it is to hold cannot be written as JSON")
      }),
      (text) => this.#set(key, text)
    )
  }

  #set(key: string, text: string): Effect.Effect<void, ToolLedgerError> {
    return Effect.mapError(
      Effect.uninterruptible(this.#store.set(this.#prefix + key, text)),
      (cause) => this.#error("write", key, "it could not be written", cause)
    )
  }

  #error(reason: ToolLedgerError["reason"], key: string, what: string, cause?: KeyValueStoreError): ToolLedgerError {
    const { runId } = this
    return new ToolLedgerError({
      message: `Record "${key}" of run "${runId}": ${what}`,
      reason,
      runId,
      key: this.#prefix + key,
      ...(cause === undefined ? undefined : { cause })
    })
  }

  #fail(...why: [reason: ToolLedgerError["reason"], key: string, what: string]): Effect.Effect<never, ToolLedgerError> {
    return Effect.fail(this.#error(...why))
  }
}

const ownerKey = "owner"
const entryKey = (index: number): string => `entry/${index}`
const callKey = (idempotencyKey: string, what: string): string => `call/${idempotencyKey}/${what}`
const attemptKey = (idempotencyKey: string, attempt: number, what: string): string =>
  callKey(idempotencyKey, `${attempt}/${what}`)

// Encoded, so that no run's keys begin with those of another one.
const prefixOf = (runId: string): string => `${encodeURIComponent(runId)}/`

/** A ledger of records in a store that can be read, written and cleared by key. */
export const journalledLedger = (store: RecordStore): ToolLedger => ({
  open: (runId) => Effect.suspend(() => new JournalledRun(store, runId).open()),
  entries: (runId) => Effect.suspend(() => new JournalledRun(store, runId).entries()),
  forget: (runId) => Effect.suspend(() => new JournalledRun(store, runId).forget())
})

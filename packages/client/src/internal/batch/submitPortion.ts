import type { MessageBatch } from "@anthropic-ai/sdk/resources/messages/batches"
import { retry } from "@effect-claude/resilience/Retry"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type BatchLedgerError, DuplicateBatchError, UnknownSubmissionError } from "../../BatchError.ts"
import type { Entry } from "../../BatchLedger.ts"
import type { ClaudeBatchesShape } from "../../ClaudeBatches.ts"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { ClaudeSchedule } from "../../ClaudeSchedule.ts"
import type { CallOptions } from "../../ClaudeService.ts"
import { requestCount } from "./batchShape.ts"
import { oneAtATime } from "./oneAtATime.ts"
import type { Portion } from "./splitItems.ts"

export interface SubmitPolicy {
  readonly onDuplicate: "fail" | "adopt" | "submit"
  readonly retry: ClaudeSchedule
  readonly settle: Duration.Duration
  readonly call: CallOptions
}

/** A batch that holds a portion, and whether it was there before. */
export interface Submission {
  readonly batchId: string
  readonly adopted: boolean
}

/** A batch on the server, and what the ledger knows of it. */
interface Candidate {
  readonly id: string
  readonly mark: Entry | undefined
}

type SubmitFailure = ClaudeError | DuplicateBatchError | UnknownSubmissionError | BatchLedgerError

// By how much our clock and the server's may differ; `created_at` is the server's.
const clockSkew = Duration.toMillis(Duration.minutes(1))

const lookInterval = Duration.seconds(10)

/** The key under which the ledger knows that a batch belongs to some work. */
const markOf = (batchId: string): string => `batch ${batchId}`

// The server was not reached, or said that it takes no request now.
const unreachedCode =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOST|ENET|EADDR|EPROTO$|UND_ERR_CONNECT_TIMEOUT|ERR_(SSL|TLS)_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/

/** Whether the batch may have been made although its submission failed. */
const isAmbiguous = (error: ClaudeError): boolean => {
  switch (error._tag) {
    case "ConnectionError":
      return error.code === undefined || !unreachedCode.test(error.code)
    case "AttemptTimeoutError":
    case "GatewayTimeoutError":
    case "InvalidResponseError":
    case "StreamInterruptedError":
      return true
    case "InternalServerError":
      return error.status !== 501 && error.status !== 503
    default:
      return false
  }
}

/** Submits one portion, unless the ledger knows it. */
export const submitPortion = (
  batches: ClaudeBatchesShape,
  { items, key }: Portion,
  policy: SubmitPolicy
): Effect.Effect<Submission, SubmitFailure> => {
  const { call, onDuplicate, retry: schedule, settle } = policy
  const { ledger } = batches
  const count = items.length

  /** The batches that may be the one. Of one that the ledger has under this key already there is no doubt. */
  const look = (since: number): Effect.Effect<ReadonlyArray<Candidate>, ClaudeError | BatchLedgerError> =>
    batches.list(call).pipe(
      // The newest come first. What cannot be read as a time is looked at, which is the safe side.
      Stream.takeWhile(({ created_at: createdAt }) => !(Date.parse(createdAt) < since - clockSkew)),
      Stream.filter((batch) => requestCount(batch) === count),
      Stream.mapEffect(({ id }) => Effect.map(ledger.get(markOf(id)), (mark) => ({ id, mark }))),
      Stream.filter(({ mark }) => mark === undefined || mark.key === key),
      Stream.runCollect,
      retry(schedule)
    )

  const unknown = (candidates: ReadonlyArray<string>, cause: unknown): UnknownSubmissionError =>
    new UnknownSubmissionError({
      message: candidates.length === 0
        ? `Whether a batch of ${count} requests was made is not known, and the server could not be asked`
        : `Whether a batch of ${count} requests was made is not known; it may be ${candidates.join(" or ")}`,
      candidates,
      count,
      cause
    })

  /** Looks for a batch that may have been made since, for as long as the server may need to make it. */
  const findMade = (
    since: number,
    cause: unknown
  ): Effect.Effect<Option.Option<string>, UnknownSubmissionError | BatchLedgerError> =>
    Effect.gen(function*() {
      const end = (yield* Clock.currentTimeMillis) + Duration.toMillis(settle)
      while (true) {
        const found = yield* Effect.catchIf(
          look(since),
          (error): error is ClaudeError => error._tag !== "BatchLedgerError",
          (error) => Effect.fail(unknown([], cause ?? error))
        )
        const ours = found.find(({ mark }) => mark !== undefined)
        if (ours !== undefined) return Option.some(ours.id)
        const [only, ...others] = found
        if (only !== undefined) {
          if (onDuplicate === "adopt" && others.length === 0) return Option.some(only.id)
          return yield* unknown(found.map(({ id }) => id), cause)
        }
        const left = end - (yield* Clock.currentTimeMillis)
        if (left <= 0) return Option.none()
        yield* Effect.sleep(Duration.min(lookInterval, Duration.millis(left)))
      }
    })

  const record = (batchId: string, startedAt: number): Effect.Effect<void> => {
    const entry: Entry = { startedAt, count, batchId }
    // The mark first: should the process die in between, it tells whose the batch is. The batch exists, and a ledger that cannot be
    // written must not lose it for the caller.
    return Effect.andThen(ledger.set(markOf(batchId), { ...entry, key }), ledger.set(key, entry)).pipe(
      Effect.catch((error) => Effect.logWarning(`Batch ${batchId} was submitted, but ${error.message}`)),
      Effect.uninterruptible
    )
  }

  const submit = (startedAt: number): Effect.Effect<Submission, SubmitFailure> => {
    const attempt: Effect.Effect<Submission, SubmitFailure> = batches.create(items, call).pipe(
      Effect.map(({ id }) => ({ batchId: id, adopted: false })),
      Effect.catch((error) => {
        if (onDuplicate === "submit" || !isAmbiguous(error)) return Effect.fail(error)
        return Effect.flatMap(
          findMade(startedAt, error),
          Option.match({
            onNone: () => Effect.fail(error),
            onSome: (batchId) => Effect.succeed({ batchId, adopted: true })
          })
        )
      })
    )
    return attempt.pipe(
      retry(schedule),
      Effect.tap(({ batchId }) => record(batchId, startedAt)),
      // Whatever else failed has made no batch. An interrupt leaves the entry: then nobody knows.
      Effect.tapError((error) =>
        error._tag === "UnknownSubmissionError" || error._tag === "BatchLedgerError"
          ? Effect.void
          : Effect.ignore(ledger.remove(key))
      )
    )
  }

  const begin = (startedAt: number): Effect.Effect<Submission, SubmitFailure> =>
    Effect.andThen(ledger.set(key, { startedAt, count }), submit(startedAt))

  /** The batch that the ledger names, if it still holds results or will. */
  const stillThere = (batchId: string): Effect.Effect<MessageBatch | undefined, ClaudeError> =>
    batches.retrieve(batchId, call).pipe(
      retry(schedule),
      Effect.map((batch) => batch.archived_at === null || batch.archived_at === undefined ? batch : undefined),
      Effect.catchTag("NotFoundError", () => Effect.undefined)
    )

  const adopt = (existing: Entry, now: number): Effect.Effect<Submission, SubmitFailure> =>
    Effect.gen(function*() {
      if (existing.batchId !== undefined) {
        const batch = yield* stillThere(existing.batchId)
        if (batch === undefined) return yield* begin(now)
        yield* Effect.logInfo(`Batch ${batch.id} holds these ${count} requests already: nothing was submitted`)
        return { batchId: batch.id, adopted: true }
      }
      const found = yield* findMade(existing.startedAt, undefined)
      // Whoever had begun it may have heard of its end meanwhile.
      const batchId = (yield* ledger.get(key))?.batchId ?? Option.getOrUndefined(found)
      if (batchId === undefined) return yield* begin(now)
      yield* Effect.logInfo(`Batch ${batchId} holds these ${count} requests already: nothing was submitted`)
      yield* record(batchId, existing.startedAt)
      return { batchId, adopted: true }
    })

  const submission = Effect.gen(function*() {
    const startedAt = yield* Clock.currentTimeMillis
    const existing = yield* ledger.claim(key, { startedAt, count })
    if (existing === undefined) return yield* submit(startedAt)
    if (onDuplicate === "adopt") return yield* adopt(existing, startedAt)
    if (onDuplicate === "fail") return yield* duplicate(key, existing)
    yield* Effect.logWarning(
      `The same ${count} requests were submitted before${inBatch(existing)}, and are submitted again as asked`
    )
    return yield* begin(startedAt)
  })

  return oneAtATime(submission, { ledger, key, isPatient: onDuplicate === "adopt" })
}

const inBatch = ({ batchId }: Entry): string => batchId === undefined ? "" : ` (batch ${batchId})`

const duplicate = (key: string, existing: Entry): DuplicateBatchError =>
  new DuplicateBatchError({
    message: existing.batchId === undefined
      ? `A submission of the same ${existing.count} requests was begun at ${
        DateTime.formatIso(DateTime.makeUnsafe(existing.startedAt))
      }, and how it ended is not known`
      : `Batch ${existing.batchId} holds the same ${existing.count} requests already`,
    key,
    count: existing.count,
    startedAt: existing.startedAt,
    ...(existing.batchId === undefined ? {} : { batchId: existing.batchId })
  })

import { createHash } from "node:crypto"
import { isRecord } from "./RequestCheck.ts"
import type { Outcome, RecordedRequest } from "./RequestLog.ts"

export interface JournalEntry {
  readonly number: number
  readonly method: string
  readonly path: string
  readonly model: string | undefined
  readonly body: string | undefined
  readonly did: string
  readonly status: number | undefined
  readonly bytesSent: number
  readonly outcome: Outcome
  readonly receivedAt?: number
  readonly endedAt?: number
}

/** The records in a form that compares; with times if they are virtual, for others are never the same. */
export const journalOf = (requests: ReadonlyArray<RecordedRequest>, isVirtual: boolean): ReadonlyArray<JournalEntry> =>
  requests.map(({ body, bytesSent, did, endedAt, method, number, outcome, path, receivedAt, status }) => ({
    number,
    method,
    path,
    model: modelOf(body),
    body: digest(body),
    did,
    status,
    bytesSent,
    outcome,
    ...(isVirtual ? { receivedAt } : {}),
    ...(isVirtual && endedAt !== undefined ? { endedAt } : {})
  }))

export const modelOf = (body: unknown): string | undefined => {
  const model = isRecord(body) ? body["model"] : undefined
  return typeof model === "string" ? model : undefined
}

const digest = (body: unknown): string | undefined =>
  body === undefined ? undefined : createHash("sha256").update(JSON.stringify(body)).digest("hex").slice(0, 16)

/** The entries without what depends on the order in which they arrived, in an order of their own. */
export const comparable = (
  journal: ReadonlyArray<JournalEntry>
): ReadonlyArray<Omit<JournalEntry, "number" | "receivedAt" | "endedAt">> =>
  journal
    .map(({ endedAt: _, number: __, receivedAt: ___, ...entry }) => ({ entry, key: JSON.stringify(entry) }))
    .sort((one, other) => one.key < other.key ? -1 : one.key > other.key ? 1 : 0)
    .map(({ entry }) => entry)

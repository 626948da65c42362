import type { CapturedRequest } from "./CapturedRequest.ts"

/** How a body came to its end; `open` while it has not. */
export type BodyEnd =
  | { readonly kind: "open" }
  | { readonly kind: "complete" | "abandoned"; readonly at: number }
  | { readonly kind: "failed"; readonly at: number; readonly thrown: unknown }

export interface RecordedBody {
  readonly chunks: Array<readonly [at: number, bytes: Uint8Array]>
  end: BodyEnd
}

/** What has become of a request so far, as it came: nothing is taken out yet. */
export type RecordedOutcome =
  | { readonly kind: "pending" }
  | { readonly kind: "abandoned"; readonly after: number }
  | { readonly kind: "failed"; readonly after: number; readonly thrown: unknown }
  | {
    readonly kind: "response"
    readonly after: number
    readonly status: number
    readonly statusText: string
    readonly headers: Headers
    readonly body: RecordedBody | null
  }

export interface RecordedExchange {
  readonly at: number
  readonly request: CapturedRequest
  outcome: RecordedOutcome
}

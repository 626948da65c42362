import type { Anthropic } from "@anthropic-ai/sdk"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { AuthenticationError } from "../ClaudeError.ts"
import { type CallOptions, HeadersTimeout } from "../ClaudeService.ts"
import type * as SdkFailure from "../SdkFailure.ts"
import { confidentialHeaders } from "./confidentialHeaders.ts"

/** What a client of the SDK shows of its credentials. */
export interface Credentials {
  readonly apiKey?: string | null
  readonly authToken?: string | null
  readonly credentials?: unknown
}

/** What one attempt sends along with its request, and what its errors are to know. */
export interface PreparedCall {
  readonly context: SdkFailure.Context
  readonly sdkOptions: Omit<Anthropic.RequestOptions, "headers"> & { readonly headers: Record<string, string> }
}

const hasCredentials = (client: Credentials): boolean => client.credentials !== undefined && client.credentials !== null

// What the SDK takes: whole milliseconds that a timer can count; it throws at a fraction, and a longer timer fires at once.
const longestTimer = 2 ** 31 - 1

const sdkTimeout = (limit: Duration.Duration): number => Math.min(Math.ceil(Duration.toMillis(limit)), longestTimer)

/** Everything an attempt needs to know of its surroundings. */
export const prepareCall = (
  client: Credentials,
  call: CallOptions | undefined,
  subject: Pick<SdkFailure.Context, "model" | "request">
): Effect.Effect<PreparedCall> =>
  Effect.gen(function*() {
    const attempt = yield* CurrentAttempt
    const headersTimeout = yield* HeadersTimeout
    const now = yield* Clock.currentTimeMillis
    const context: SdkFailure.Context = {
      ...subject,
      attempt,
      now,
      secrets: [client.apiKey, client.authToken, ...confidentialHeaders(call)].filter((secret) =>
        typeof secret === "string"
      ),
      credentials: hasCredentials(client),
      headersTimeout
    }
    const sdkOptions: PreparedCall["sdkOptions"] = {
      maxRetries: 0,
      headers: { "x-stainless-retry-count": String(attempt - 1), ...call?.headers },
      ...(headersTimeout === undefined ? undefined : { timeout: sdkTimeout(headersTimeout) })
    }
    return { context, sdkOptions }
  })

/** With a credential provider, a 401 has made the SDK drop its cached token: the second time it fetches a fresh one. */
export const withFreshToken =
  (client: Credentials) =>
  <A, E extends { readonly _tag: string }, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.catchIf(
      attempt,
      (error): error is E & AuthenticationError =>
        error._tag === "AuthenticationError" && "status" in error && error.status === 401 && hasCredentials(client),
      () => attempt
    )

export const requestIdOf = (response: Response): string | undefined => response.headers.get("request-id") ?? undefined

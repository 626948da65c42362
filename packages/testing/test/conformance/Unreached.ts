import { oidcFederationProvider } from "@anthropic-ai/sdk/lib/credentials/oidc-federation"
import { WorkloadIdentityError } from "@anthropic-ai/sdk/lib/credentials/types"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import type { Entry } from "./Entry.ts"

type Code = FaultStep.UnreachableOptions["code"]

const unreachable = (
  code: Code,
  row: Entry["row"],
  own: string,
  onSocket: { readonly place: NonNullable<Entry["place"]>; readonly curl: string } | undefined,
  sdk = `APIConnectionError < TypeError < ${code}`
): Entry => ({
  name: `no connection: ${code}`,
  row,
  preset: "unreachable",
  step: FaultStep.unreachable({ code, delay: 0 }),
  sdk,
  ai: "APICallError",
  own,
  ...onSocket ?? { curl: "-" }
})

const timeout = "APIConnectionTimeoutError"

const tokenless = (name: string, sdk: string, credentials: NonNullable<Entry["credentials"]>): Entry => ({
  name,
  row: "B credentials",
  preset: "message",
  step: FaultStep.message(),
  credentials,
  sdk,
  ai: "-",
  curl: "-",
  own: "AuthenticationError stop"
})

/** What keeps a client from making its request. */
export const unreached: ReadonlyArray<Entry> = [
  unreachable("ECONNREFUSED", "B refused", "ConnectionError connection", { place: "closed port", curl: "7" }),
  unreachable("EHOSTUNREACH", "B refused", "ConnectionError connection", undefined),
  unreachable("ENETUNREACH", "B refused", "ConnectionError connection", undefined),
  unreachable("ENOTFOUND", "B DNS", "ConnectionError stop", undefined),
  unreachable("EAI_AGAIN", "B DNS", "ConnectionError connection", undefined),
  unreachable("ETIMEDOUT", "B connect timeout", "AttemptTimeoutError timeout", undefined, timeout),
  unreachable("UND_ERR_CONNECT_TIMEOUT", "B connect timeout", "AttemptTimeoutError timeout", undefined, timeout),
  unreachable("ECONNRESET", "B TLS", "ConnectionError connection", { place: "reset handshake", curl: "35" }),
  unreachable("ERR_SSL_WRONG_VERSION_NUMBER", "B TLS", "ConnectionError stop", { place: "no TLS", curl: "35" }),
  unreachable("DEPTH_ZERO_SELF_SIGNED_CERT", "B TLS", "ConnectionError stop", {
    place: "untrusted certificate",
    curl: "60"
  }),
  unreachable("CERT_HAS_EXPIRED", "B TLS", "ConnectionError stop", undefined),
  unreachable("ERR_TLS_CERT_ALTNAME_INVALID", "B TLS", "ConnectionError stop", undefined),
  tokenless("credentials that cannot be had", "Error", () => () => Promise.reject(new Error("The vault is sealed"))),
  tokenless(
    "credentials that are refused",
    "WorkloadIdentityError",
    () => () => Promise.reject(new WorkloadIdentityError("Token exchange failed", 403, { error: "invalid_grant" }))
  ),
  tokenless("token endpoint that is not there", "WorkloadIdentityError", ({ fetch, url }) => {
    const exchange = oidcFederationProvider({
      identityTokenProvider: () => Promise.resolve("token"),
      federationRuleId: "rule",
      organizationId: "organization",
      baseURL: url,
      fetch
    })
    return async () => ({ token: (await exchange()).token, expiresAt: null })
  })
]

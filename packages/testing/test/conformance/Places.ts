import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Where no answer can be had, on a socket of this machine. */
export type Place = "closed port" | "untrusted certificate" | "reset handshake" | "no TLS"

const secure = (plan: FaultPlan.FaultPlanInput) => Effect.map(FakeClaudeApi.make({ tls: true, plan }), ({ url }) => url)

/** The URL of each place. */
export const makePlaces = Effect.all(
  {
    // The system gives no port below 1024 to a program that takes any, and nothing is behind this one.
    "closed port": Effect.succeed("http://127.0.0.1:2"),
    "untrusted certificate": secure({}),
    "reset handshake": secure({ after: FaultStep.unreachable({ code: "ECONNRESET" }) }),
    "no TLS": secure({ after: FaultStep.unreachable({ code: "ERR_SSL_WRONG_VERSION_NUMBER" }) })
  } satisfies Record<Place, Effect.Effect<string, FakeClaudeApi.ListenError, Scope.Scope>>
)

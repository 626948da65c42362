import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type { RecordedCall } from "../../ClaudeTest.ts"
import * as Timeline from "../../Timeline.ts"
import * as CallChecks from "../assert/CallChecks.ts"
import { type Check, complaint, denial } from "../assert/Check.ts"
import { failsWith } from "../assert/ExitCheck.ts"
import * as PolicyChecks from "../assert/PolicyChecks.ts"

interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
  readonly actual: unknown
  readonly expected: unknown
}

const isCall = (value: unknown): value is RecordedCall =>
  Predicate.hasProperty(value, "outcome") && Predicate.hasProperty(value, "attempt")
  && Predicate.hasProperty(value, "request")

const isCalls = (value: unknown): value is ReadonlyArray<RecordedCall> => Array.isArray(value) && value.every(isCall)

const isDescription = (value: unknown): value is ReadonlyArray<ClaudeLayer.PolicyDescription> =>
  Array.isArray(value) && value.every((part) => Predicate.hasProperty(part, "policy"))

const isService = (value: unknown): value is ClaudeServiceShape => Predicate.hasProperty(value, "createMessage")

const refuse = (matcher: string, received: string): never => {
  throw new TypeError(`${matcher}: expected ${received}`)
}

const result = (check: Check, timeline?: string): MatcherResult => ({
  pass: check.pass,
  message: () => {
    const said = check.pass ? denial(check) : complaint(check)
    return timeline === undefined ? said : `${said}\n\n${timeline}`
  },
  actual: check.actual,
  expected: check.expected
})

const onCalls = <Expected>(
  matcher: string,
  check: (calls: ReadonlyArray<RecordedCall>, expected: Expected) => Check
) =>
(received: unknown, expected: Expected): MatcherResult =>
  isCalls(received)
    ? result(check(received, expected), Timeline.render(received))
    : refuse(matcher, "the calls of a script (ClaudeTest.calls)")

const policiesOf = (matcher: string, received: unknown): ReadonlyArray<ClaudeLayer.PolicyDescription> => {
  if (isDescription(received)) return received
  return isService(received)
    ? Effect.runSync(Effect.provideService(ClaudeLayer.describe, ClaudeService, received))
    : refuse(matcher, "a ClaudeService, or what ClaudeLayer.describe gives")
}

/** What `expect.extend` takes. */
export const matchers = {
  toHaveAttempts: onCalls(
    "toHaveAttempts",
    (calls, expected: number | ReadonlyArray<number>) =>
      CallChecks.attempts(calls, typeof expected === "number" ? [expected] : expected)
  ),
  toHaveRequests: onCalls("toHaveRequests", CallChecks.requests),
  toHaveWaits: onCalls("toHaveWaits", CallChecks.waits),
  toHaveModels: onCalls("toHaveModels", CallChecks.models),
  toHaveOutcomes: onCalls("toHaveOutcomes", CallChecks.outcomes),
  toHavePolicies: (received: unknown, expected: ReadonlyArray<string>): MatcherResult =>
    result(PolicyChecks.policies(policiesOf("toHavePolicies", received), expected)),
  toHavePolicy: (received: unknown, name: string, options: PolicyChecks.ExpectedOptions = {}): MatcherResult =>
    result(PolicyChecks.hasPolicy(policiesOf("toHavePolicy", received), name, options)),
  toFailWith: (received: unknown, tag: string): MatcherResult =>
    Exit.isExit(received) ? result(failsWith(received, tag)) : refuse("toFailWith", "an Exit (Effect.exit)")
}

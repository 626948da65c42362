import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Fallback from "@effect-claude/resilience/Fallback"
import * as PolicyLaws from "@effect-claude/testing/PolicyLaws"
import type * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { describe, expect, test } from "tstyche"

type Checked = Effect.Effect<PolicyLaws.LawReport, PolicyLaws.LawViolation>

describe("PolicyLaws", () => {
  test("takes schedules, functions and effects that make functions", () => {
    expect(PolicyLaws.retry(ClaudeSchedule.standard, { attempts: 3 })).type.toBe<Checked>()
    expect(PolicyLaws.retry(Schedule.recurs(2), { attempts: 3 })).type.toBe<Checked>()
    expect(PolicyLaws.deadline(Deadline.withDeadline("1 second"), { limit: "1 second" })).type.toBe<Checked>()
    expect(PolicyLaws.retry(PolicyLaws.fromLayer(ClaudeLayer.withRetry()), { attempts: 3 })).type.toBe<Checked>()
    expect(PolicyLaws.retry).type.not.toBeCallableWith("retry", { attempts: 3 })
    expect(PolicyLaws.retry).type.not.toBeCallableWith(ClaudeSchedule.standard, {})
  })

  test("takes what firstOf returns for a fallback", () => {
    expect(
      PolicyLaws.fallback((targets) =>
        Fallback.firstOf(targets, { shouldFallback: ({ verdict }) => verdict._tag === "Retry" })
      )
    ).type.toBe<Checked>()
  })

  test("makes policies of layers", () => {
    expect(PolicyLaws.fromLayer(ClaudeLayer.withRetry())).type.toBe<
      Effect.Effect<PolicyLaws.Policy<ClaudeError>, never, Scope.Scope>
    >()
  })
})

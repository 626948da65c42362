import * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as FaultStep from "@effect-claude/testing/FaultStep"

/** One way for the API to fail, and how it is asked. */
export interface Scenario {
  readonly id: string
  readonly fault: string
  readonly stream: boolean
  readonly plan: FaultPlan.FaultPlan
}

export const model = "claude-sonnet-5-5"
export const fallbackModel = "claude-haiku-5-5"

const scenario = (
  id: string,
  fault: string,
  kind: "message" | "stream",
  plan: FaultPlan.FaultPlanInput
): Scenario => ({ id, fault, stream: kind === "stream", plan: FaultPlan.make(plan) })

/** The faults of the demo, in the order of the table. Steps are used up by requests; after them the API is healthy. */
export const scenarios: ReadonlyArray<Scenario> = [
  scenario("rate-limit", "429 with retry-after: 1", "message", {
    steps: [FaultStep.rateLimit({ retryAfter: "1 second" })]
  }),
  scenario("rate-limit-hour", "429 with retry-after: 3600", "message", {
    after: FaultStep.rateLimit({ retryAfter: "1 hour" })
  }),
  scenario("spend-limit", "429 that is a spend limit", "message", { after: FaultStep.spendLimit() }),
  scenario("overload-storm", "529 storm on one model", "message", {
    models: { [model]: { after: FaultStep.overloaded() } }
  }),
  scenario("server-error", "500 twice", "message", { steps: [FaultStep.internalServer({ times: 2 })] }),
  scenario("html-502", "502 with a proxy's HTML", "message", { steps: [FaultStep.htmlBadGateway()] }),
  scenario("captive-portal", "200 with an HTML page", "message", {
    steps: [FaultStep.response({ status: 200, contentType: "text/html", body: "<html><title>Log in</title></html>" })]
  }),
  scenario("reset", "connection reset", "message", { steps: [FaultStep.reset()] }),
  scenario("slow-first-byte", "first byte after 5 s", "message", { steps: [FaultStep.slowFirstByte("5 seconds")] }),
  scenario("unauthorized", "401", "message", { after: FaultStep.authentication() }),
  scenario("too-large", "413", "message", { after: FaultStep.requestTooLarge() }),
  scenario("stalled-stream", "stream stalls before a word", "stream", {
    steps: [FaultStep.stallStream({ afterEvents: 1 })]
  }),
  scenario("mid-stream-overload", "overloaded_error in a 200", "stream", {
    steps: [FaultStep.midStreamError({ afterEvents: 1 })]
  }),
  scenario("cut-stream", "stream cut after some words", "stream", { steps: [FaultStep.cutStream({ afterEvents: 5 })] }),
  scenario("missing-stop", "stream ends without its end", "stream", {
    steps: [FaultStep.endWithoutStop({ afterEvents: 5 })]
  })
]

import type { Usage } from "@anthropic-ai/sdk/resources/messages/messages"
import { CurrentAttempt } from "@effect-claude/resilience/Attempt"
import * as Hedge from "@effect-claude/resilience/Hedge"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type * as RetryBudget from "@effect-claude/resilience/RetryBudget"
import * as Verdict from "@effect-claude/resilience/Verdict"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "../../ClaudeError.ts"
import type { MessageRequest } from "../../ClaudeService.ts"
import { isContent, isPing, type MessageEvent } from "../../MessageEvents.ts"
import { CurrentUsageScope } from "../callContext.ts"
import { estimateInput } from "../estimateInput.ts"
import { type PolicyLayer, stateful } from "./PolicyLayer.ts"

/**
 * When `withHedge` sends a request a second time, which describes it.
 *
 * **Details**
 *
 * - `delay`: how long an attempt may take to its first content, or to its answer if it is not streamed; the quantile 0.95 of
 *   the last 200 times of the model, once there are 50
 * - `max`: how many hedges a call may have; 1
 * - `hedgeWhen`: whether a request may be sent twice; one may that lets the API run no tool of its own and names no thread
 *   (`isHedgeable`)
 * - `estimate`: how many input tokens a request has, for an account of what a cancelled attempt cost;
 *   `TokenEstimate.ofRequest`
 * - `budget`: what pays for the hedges; by default the budget of `withRetryBudget`, if there is one around
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeOptions {
  readonly delay?: Hedge.Options["delay"] | undefined
  readonly max?: number | undefined
  readonly hedgeWhen?: ((request: MessageRequest) => boolean) | undefined
  readonly estimate?: ((request: MessageRequest) => number) | undefined
  readonly budget?: RetryBudget.RetryBudget | undefined
}

// What the caller runs, and the search among the tools themselves. Of a type that is not known nothing is known.
const harmless = /^(?:custom$|bash_|text_editor_|memory_|computer_|browser_|tool_search_tool_)/

const runsAtTheApi = (tool: unknown): boolean =>
  Predicate.hasProperty(tool, "type") && typeof tool.type === "string" && !harmless.test(tool.type)

const isGiven = (request: MessageRequest, field: string): boolean =>
  Predicate.hasProperty(request, field) && request[field] !== undefined && request[field] !== null

// Of a thread that is kept at the API only one of two requests can be the next turn: the other one is refused.
const leavesTraces = ["mcp_servers", "container", "thread"]

/**
 * Whether a request may be sent twice at once: whether it lets the API run no tool and go on with nothing that it keeps. Code
 * that runs in a container, a call to an MCP server or a search would be run for the loser too. Tools that the program runs
 * itself are no obstacle, as they run on the one answer that wins.
 */
export const isHedgeable = (request: MessageRequest): boolean =>
  !leavesTraces.some((field) => isGiven(request, field))
  && !(Array.isArray(request.tools) && request.tools.some(runsAtTheApi))

const owner = "ClaudeLayer.withHedge"

const rejected = Verdict.retry("rejected")

/**
 * What a failure means for the attempts beside it. A circuit that was opened by hand, and a budget of usage, turn this one away
 * before it is sent and say nothing of those that were.
 */
const classify = (error: ClaudeError): Verdict.Verdict =>
  error._tag === "CircuitOpenError" || error._tag === "UsageBudgetExceededError" ? rejected : error.verdict

/** Tells whoever counts what is used of an attempt that is about to be cancelled. */
const tellLost = (fiber: Fiber.Fiber<unknown, unknown>, model: string): (hedge: number) => void => {
  const scope = fiber.getRef(CurrentUsageScope)
  if (scope === undefined) return constVoid
  const attempt = fiber.getRef(CurrentAttempt)
  return (hedge) => scope.hedgeLost(model, attempt, hedge)
}

const isQuantile = (delay: Hedge.Options["delay"]): delay is Hedge.QuantileOptions =>
  Predicate.hasProperty(delay, "quantile")

const defaultDelay: Hedge.QuantileOptions = { quantile: 0.95, minimumSamples: 50, window: 200 }

export const hedge = (options: HedgeOptions): PolicyLayer => {
  const { delay = defaultDelay, estimate = estimateInput, hedgeWhen = isHedgeable, max = 1 } = options
  const shownDelay = isQuantile(delay) ? delay : OptionCheck.duration(owner, "delay", delay, { positive: true })
  const hedging = { delay, max, ...(options.budget === undefined ? undefined : { budget: options.budget }) }
  Hedge.makeUnsafe(hedging)

  const usageOf = (request: MessageRequest, seen: ReadonlyArray<MessageEvent>): Hedge.Usage => {
    const start = seen.find((event) => event.type === "message_start")
    // Callers and gateways leave out fields that the types promise.
    const usage: Partial<Usage> | undefined = start?.message.usage
    return { inputTokens: usage?.input_tokens ?? estimate(request), outputTokens: usage?.output_tokens }
  }

  return stateful({
    name: "hedge",
    options: { delay: shownDelay, max },
    make: Hedge.make(hedging),
    wrap: (inner, { hedge, hedgeStream }) => ({
      createMessage: (request, call) => {
        const answer = inner.createMessage(request, call)
        return Effect.withFiber((fiber) => {
          if (!hedgeWhen(request)) return answer
          const lost = tellLost(fiber, request.model)
          return hedge(answer, {
            key: `message ${request.model}`,
            classify,
            onLoser: ({ hedge }) => {
              lost(hedge)
              return usageOf(request, [])
            }
          })
        })
      },
      countTokens: inner.countTokens,
      streamMessage: (request, call) => {
        const events = inner.streamMessage(request, call)
        return Stream.unwrap(Effect.withFiber((fiber) => {
          if (!hedgeWhen(request)) return Effect.succeed(events)
          const lost = tellLost(fiber, request.model)
          return Effect.succeed(hedgeStream(events, {
            key: `stream ${request.model}`,
            isEvent: isContent,
            isTransparent: isPing,
            classify,
            onLoser: ({ elements, hedge }) => {
              lost(hedge)
              return usageOf(request, elements)
            }
          }))
        }))
      }
    })
  })
}

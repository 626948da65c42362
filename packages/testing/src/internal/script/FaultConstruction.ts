import type { ClaudeError, ClaudeErrorTag, PartialAnswer } from "@effect-claude/client/ClaudeError"
import { isApiError, isPolicyError } from "@effect-claude/client/ClaudeError"
import type * as Duration from "effect/Duration"
import type { ErrorFields } from "./FaultDefaults.ts"
import { classes, usualFields } from "./FaultDefaults.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { Answer, Broken, Failure, Step, StepCall } from "./Step.ts"
import { errorFieldsOf, makeStep } from "./Step.ts"
import { eventCount } from "./Transmission.ts"
import * as WireFailure from "./WireFailure.ts"

type Loose<A> = [Exclude<A, undefined>] extends [Duration.Duration] ? Duration.Input : A

/** The fields of an error that a test may set: all of them optional, durations in any form. */
export type FaultFields<Tag extends ClaudeErrorTag> = {
  readonly [K in keyof ErrorFields<Tag>]?: Loose<ErrorFields<Tag>[K]> | undefined
}

const durations: ReadonlyArray<readonly [tags: ReadonlySet<ClaudeErrorTag> | "all", field: string]> = [
  ["all", "retryAfter"],
  [new Set<ClaudeErrorTag>(["AttemptTimeoutError", "DeadlineExceededError"]), "limit"]
]

/** The fields that are set, with durations parsed. */
const parse = <Tag extends ClaudeErrorTag>(
  owner: string,
  tag: Tag,
  fields: FaultFields<Tag>
): Partial<ErrorFields<Tag>> => {
  const given: Record<string, unknown> = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined)
  )
  for (const [tags, field] of durations) {
    if ((tags === "all" || tags.has(tag)) && field in given) {
      given[field] = OptionCheck.duration(owner, field, given[field] as Duration.Input)
    }
  }
  // The API sends a code as a part of the details.
  if (typeof given["errorCode"] === "string" && given["details"] === undefined) {
    given["details"] = { error_code: given["errorCode"] }
  }
  return given as Partial<ErrorFields<Tag>>
}

const notCalledYet: StepCall = {
  method: "createMessage",
  number: 1,
  attempt: 1,
  model: "claude-sonnet-5-5",
  requestId: "req_test_1",
  request: { model: "claude-sonnet-5-5", max_tokens: 1, messages: [] },
  options: undefined
}

export const failureOf = <Tag extends ClaudeErrorTag>(
  owner: string,
  tag: Tag,
  fields: FaultFields<Tag>
): Step<Failure> => {
  const given = parse(owner, tag, fields)

  const make = (call: StepCall, answered: { readonly requestId?: string; readonly partial?: PartialAnswer }) =>
    new classes[tag](
      {
        ...usualFields(tag, { ...answered, ...given }),
        ...errorFieldsOf(call),
        ...answered,
        ...given
      }
    )

  const sample = orRefuse(owner, () => make(notCalledYet, {}))

  const error = (call: StepCall): ClaudeError => make(call, isApiError(sample) ? { requestId: call.requestId } : {})

  const midStream = (call: StepCall, partial: PartialAnswer): ClaudeError => {
    const stated = error(call)
    if (isApiError(stated)) return WireFailure.errorEvent(call, partial, stated)
    if (stated._tag === "ConnectionError") return WireFailure.cutStream(call, partial, stated.code)
    return isPolicyError(stated) ? stated : make(call, { requestId: call.requestId, partial })
  }

  return makeStep(tag, { _tag: "Failure", error, midStream })
}

const orRefuse = <A>(owner: string, make: () => A): A => {
  try {
    return make()
  } catch (cause) {
    throw new RangeError(`${owner}: ${cause instanceof Error ? cause.message : "the fields are wrong"}`, { cause })
  }
}

/** The default of `afterEvents`: what starts the message, what starts its text, and the first piece of it. */
const firstContent = 3

export const brokenBy = (
  owner: string,
  name: string,
  by: Broken["by"],
  reply: Step<Answer>,
  afterEvents: number = firstContent
): Step<Broken> => {
  const { content } = reply.behavior
  const total = eventCount(content, notCalledYet)
  return makeStep(
    `${name} after ${afterEvents} events`,
    { _tag: "Broken", content, by, afterEvents: OptionCheck.afterEvents(owner, afterEvents, total) },
    { delay: reply.delay }
  )
}

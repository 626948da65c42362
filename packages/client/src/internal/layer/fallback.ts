import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Fallback from "@effect-claude/resilience/Fallback"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError, ClaudeErrorTag } from "../../ClaudeError.ts"
import type { ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import * as MessageEvents from "../../MessageEvents.ts"
import { staticMessage } from "../staticMessage.ts"
import { observeAttempts } from "./attempts.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"

/**
 * A model to fall back to, and how to change the request for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelTarget {
  readonly model: string
  readonly adapt?: ((request: MessageRequest) => MessageRequest) | undefined
}

/**
 * Options of `withFallback`, which describes them. At least one of `models` and `answer` is needed.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions {
  readonly models?: ReadonlyArray<string | ModelTarget> | undefined
  readonly answer?: ((request: MessageRequest, error: ClaudeError) => Message | string) | undefined
  readonly shouldFallback?: ((error: ClaudeError) => boolean) | undefined
}

const owner = "ClaudeLayer.withFallback"
const staticTarget = "static answer"

// Beyond what a retry could have mended: these say no to this target and nothing against another one. A deadline that is
// seen here is one inside, for a single target; one around the fallback ends the whole call.
const alsoFallThrough = new Set<ClaudeErrorTag>([
  "SpendLimitError",
  "RetryBudgetExhaustedError",
  "CircuitOpenError",
  "DeadlineExceededError"
])

// Says no to the account, so another model of the same account would be asked in vain.
const accountWide = new Set<ClaudeErrorTag>(["SpendLimitError"])

export const shouldFallbackByDefault = (error: ClaudeError): boolean =>
  error.verdict._tag === "Retry" || alsoFallThrough.has(error._tag)

const checkTargets = (options: FallbackOptions): ReadonlyArray<ModelTarget> => {
  const targets = (options.models ?? []).map((target) => typeof target === "string" ? { model: target } : target)
  if (targets.length === 0 && options.answer === undefined) {
    throw new RangeError(`${owner}: set "models", "answer", or both: there is nothing to fall back to`)
  }
  const seen = new Set<string>()
  for (const { model } of targets) {
    if (model === "") throw new RangeError(`${owner}: option "models" holds an empty name`)
    if (seen.has(model)) {
      throw new RangeError(`${owner}: option "models" names "${model}" twice; the second could never be reached`)
    }
    seen.add(model)
  }
  return targets
}

type Provenance = Fallback.Provenance<string, ClaudeError>

/** Says who answered. An answer of the first target says so already, and so does one of a fallback further in. */
const annotate = <A extends object>(answer: A, { failures, source }: Provenance, walk: Walk): A => {
  if (failures.length === 0) return answer
  const passedOver = failures
    .filter(({ name }) => walk.asked(name))
    .map(({ error, name }) => ({ target: name, error }))
  if (source === staticTarget) return AnswerInfo.annotate(answer, { source: { _tag: "Static" }, passedOver })
  const inner = AnswerInfo.of(answer)
  return AnswerInfo.annotate(answer, {
    source: inner.source._tag === "Requested" ? { _tag: "Model", model: source } : inner.source,
    passedOver: [...passedOver, ...inner.passedOver]
  })
}

/** A model, and what to send it. Its request is made when its turn comes. */
interface Candidate {
  readonly model: string
  readonly request: () => MessageRequest
}

/** One walk through the targets: the failure that led to the next one, and which models it spares. */
const makeWalk = (sparesModels: (error: ClaudeError) => boolean) => {
  let last: ClaudeError | undefined
  const spared = new Set<string>()
  return {
    note: ({ error }: { readonly error: ClaudeError }) =>
      Effect.sync(() => {
        last = error
      }),
    /** The failure to repeat instead of asking this model, if it is one that spares it. */
    spare: (model: string): ClaudeError | undefined => {
      if (last === undefined || !sparesModels(last)) return undefined
      spared.add(model)
      return last
    },
    asked: (model: string): boolean => !spared.has(model),
    answer: (answer: NonNullable<FallbackOptions["answer"]>, request: MessageRequest): Message => {
      if (last === undefined) throw new Error(`${owner}: the static answer was asked for without a failure`)
      const given = answer(request, last)
      return typeof given === "string" ? staticMessage(given, request.model) : given
    }
  }
}

type Walk = ReturnType<typeof makeWalk>

export const fallback = (options: FallbackOptions): PolicyLayer => {
  const targets = checkTargets(options)
  const { answer } = options
  const shouldFallback = options.shouldFallback ?? shouldFallbackByDefault
  const sparesModels = (error: ClaudeError): boolean =>
    options.shouldFallback === undefined && accountWide.has(error._tag)

  /** Whom to ask, in order: the model that was asked for, then each other one. */
  const candidates = (request: MessageRequest): NonEmptyReadonlyArray<Candidate> => [
    { model: request.model, request: () => request },
    ...targets
      .filter(({ model }) => model !== request.model)
      .map(({ adapt, model }) => ({
        model,
        request: () => ({ ...(adapt === undefined ? request : adapt(request)), model })
      }))
  ]

  const wrap = (service: ClaudeServiceShape): ClaudeServiceShape => {
    const inner = observeAttempts(service)

    const createMessage: ClaudeServiceShape["createMessage"] = (request, call) =>
      Effect.suspend(() => {
        const walk = makeWalk(sparesModels)
        const target = (to: Candidate) => ({
          name: to.model,
          effect: Effect.suspend(() => {
            const spared = walk.spare(to.model)
            return spared === undefined ? inner.createMessage(to.request(), call) : Effect.fail(spared)
          })
        })
        const own = answer === undefined ? [] : [{
          name: staticTarget,
          effect: Effect.sync(() => walk.answer(answer, request))
        }]
        const [first, ...others] = candidates(request)
        return Fallback.firstOf([target(first), ...others.map(target), ...own], {
          shouldFallback,
          onSwitch: walk.note
        }).pipe(Effect.map(({ value, ...provenance }) => annotate(value, provenance, walk)))
      })

    const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
      Stream.suspend(() => {
        const walk = makeWalk(sparesModels)
        const target = (to: Candidate) => ({
          name: to.model,
          stream: Stream.suspend(() => {
            const spared = walk.spare(to.model)
            return spared === undefined ? inner.streamMessage(to.request(), call) : Stream.fail(spared)
          })
        })
        const own = answer === undefined ? [] : [{
          name: staticTarget,
          stream: Stream.suspend((): Stream.Stream<MessageEvents.MessageEvent> =>
            Stream.fromIterable(MessageEvents.fromMessage(walk.answer(answer, request)))
          )
        }]
        const [first, ...others] = candidates(request)
        return Fallback.firstStreamOf([target(first), ...others.map(target), ...own], {
          shouldFallback,
          onSwitch: walk.note,
          isContent: MessageEvents.isContent,
          isTransparent: MessageEvents.isPing,
          decorate: (event: MessageEvents.MessageEvent, provenance) =>
            event.type === "message_start"
              ? { ...event, message: annotate(event.message, provenance, walk) }
              : event
        })
      })

    return { createMessage, streamMessage, countTokens: inner.countTokens }
  }

  return {
    name: "fallback",
    options: { models: targets.map(({ model }) => model), answer: options.answer !== undefined },
    wrap
  }
}

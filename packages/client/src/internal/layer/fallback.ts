import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Fallback from "@effect-claude/resilience/Fallback"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as AnswerInfo from "../../AnswerInfo.ts"
import type { ClaudeError, ClaudeErrorTag } from "../../ClaudeError.ts"
import type { ClaudeServiceShape, MessageRequest } from "../../ClaudeService.ts"
import * as MessageEvents from "../../MessageEvents.ts"
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
  readonly answer?: ((request: MessageRequest, error: ClaudeError) => Message) | undefined
  readonly shouldFallback?: ((error: ClaudeError) => boolean) | undefined
}

const owner = "ClaudeLayer.withFallback"
const staticTarget = "static answer"

// Beyond what a retry could have mended: these say no to this target and nothing against another one.
const alsoFallThrough = new Set<ClaudeErrorTag>(["SpendLimitError", "RetryBudgetExhaustedError", "CircuitOpenError"])

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

const sourceOf = (name: string): AnswerInfo.Source =>
  name === staticTarget ? { _tag: "Static" } : { _tag: "Model", model: name }

type Provenance = Fallback.Provenance<string, ClaudeError>

/** Says who answered. An answer of the first target says so already. */
const annotate = <A extends object>(answer: A, provenance: Provenance, walk: Walk): A =>
  provenance.failures.length === 0 ? answer : AnswerInfo.annotate(answer, {
    source: sourceOf(provenance.source),
    passedOver: provenance.failures
      .filter(({ name }) => walk.asked(name))
      .map(({ error, name }) => ({ target: name, error }))
  })

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
      return answer(request, last)
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

  /** The requests to send, in order: as asked, then for each other model. */
  const requests = (request: MessageRequest): NonEmptyReadonlyArray<MessageRequest> => [
    request,
    ...targets
      .filter(({ model }) => model !== request.model)
      .map(({ adapt, model }) => ({ ...(adapt === undefined ? request : adapt(request)), model }))
  ]

  const wrap = (service: ClaudeServiceShape): ClaudeServiceShape => {
    const inner = observeAttempts(service)

    const createMessage: ClaudeServiceShape["createMessage"] = (request, call) =>
      Effect.suspend(() => {
        const walk = makeWalk(sparesModels)
        const target = (to: MessageRequest) => ({
          name: to.model,
          effect: Effect.suspend(() => {
            const spared = walk.spare(to.model)
            return spared === undefined ? inner.createMessage(to, call) : Effect.fail(spared)
          })
        })
        const own = answer === undefined ? [] : [{
          name: staticTarget,
          effect: Effect.sync(() => walk.answer(answer, request))
        }]
        const [first, ...others] = requests(request)
        return Fallback.firstOf([target(first), ...others.map(target), ...own], {
          shouldFallback,
          onSwitch: walk.note
        }).pipe(Effect.map(({ value, ...provenance }) => annotate(value, provenance, walk)))
      })

    const streamMessage: ClaudeServiceShape["streamMessage"] = (request, call) =>
      Stream.suspend(() => {
        const walk = makeWalk(sparesModels)
        const target = (to: MessageRequest) => ({
          name: to.model,
          stream: Stream.suspend(() => {
            const spared = walk.spare(to.model)
            return spared === undefined ? inner.streamMessage(to, call) : Stream.fail(spared)
          })
        })
        const own = answer === undefined ? [] : [{
          name: staticTarget,
          stream: Stream.suspend((): Stream.Stream<MessageEvents.MessageEvent> =>
            Stream.fromIterable(MessageEvents.fromMessage(walk.answer(answer, request)))
          )
        }]
        const [first, ...others] = requests(request)
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

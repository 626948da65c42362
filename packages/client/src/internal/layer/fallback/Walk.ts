import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import { emit, isHeard } from "@effect-claude/resilience/ResilienceEvent"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as AnswerInfo from "../../../AnswerInfo.ts"
import type { ClaudeError, RefusalError } from "../../../ClaudeError.ts"
import type { CallOptions, ClaudeServiceShape, MessageRequest } from "../../../ClaudeService.ts"
import { forOtherModel, withToken, withTokenBeta } from "../../answer/refusalCall.ts"
import { CurrentAnswerCache } from "../../callContext.ts"
import { withoutCredentials } from "../../confidentialHeaders.ts"
import { staticMessage } from "../../staticMessage.ts"
import { adaptRequest } from "./adaptRequest.ts"
import type { Plan, Sender, Target } from "./Plan.ts"
import type { ChainName } from "./targets.ts"
import { chainOfError } from "./unanswered.ts"

/** When a fallback asks the next target. */
export interface Rules {
  readonly shouldFallback: (error: ClaudeError) => boolean
  /** Whether a failure says no to everything of the same account. */
  readonly isAccountWide: (error: ClaudeError) => boolean
}

/** A call, as the fallback was asked to make it. */
export interface Call {
  readonly request: MessageRequest
  readonly options: CallOptions | undefined
  readonly streamed: boolean
  /** Whether a fallback further out would take what is rejected here. */
  readonly rejectionsFallThrough: boolean
}

/** The turn of a target that sends a request. */
export interface Send {
  readonly _tag: "Send"
  readonly name: string
  /** `undefined` for the model that was asked for. */
  readonly sender: Sender | undefined
  readonly service: ClaudeServiceShape
  readonly request: MessageRequest
  readonly options: CallOptions | undefined
  readonly changes: ReadonlyArray<string>
  /** Whether to fail at once when a policy turns the call away, rather than to wait for that policy. */
  readonly rejectionsFallThrough: boolean
}

/** The turn of a target that has an answer without asking a model. */
export interface Give {
  readonly _tag: "Give"
  readonly name: string
  readonly message: Effect.Effect<Message, ClaudeError>
  readonly source: AnswerInfo.Source
}

/** The turn of nobody: an answer that was taken for a failure is given after all. */
export interface Hold<Answer> {
  readonly _tag: "Hold"
  readonly answer: Answer
  readonly error: ClaudeError
  readonly given: Send
}

export type Turn<Answer> = Send | Give | Hold<Answer>

interface Skip {
  readonly _tag: "Skip"
  readonly name: string
  readonly reason: string
}

const isRejection = ({ verdict }: ClaudeError): boolean => verdict._tag === "Retry" && verdict.kind === "rejected"

const waitsForRejections = ({ policies }: ClaudeServiceShape): boolean =>
  policies?.some(({ name }) => name === "retry") === true

const asMessage = (given: Message | string, { model }: MessageRequest): Message =>
  typeof given === "string" ? staticMessage(given, model) : given

/**
 * One call on its way through the targets. Holds what the next target depends on: the chain it is in, whom it has asked,
 * and why they did not answer.
 */
export class Walk<Answer> {
  readonly first: Send
  private readonly plan: Plan
  private readonly rules: Rules
  private readonly call: Call
  private turn: Send | Give
  private chain: ChainName = "main"
  private position = 0
  private readonly begun: Array<ChainName> = ["main"]
  private readonly asked: Array<Send>
  private readonly passedOver: Array<AnswerInfo.PassedOver> = []
  /** The services, each with an account of its own, that have said no to everything. */
  private readonly exhausted: Array<ClaudeServiceShape> = []
  /** The last answer that was taken for a failure. */
  private held: Hold<Answer> | undefined
  /** The last refusal, and the service whose it was: a token of it is valid there only. */
  private refused: { readonly error: RefusalError; readonly service: ClaudeServiceShape } | undefined
  /** The last target that turned the call away at once because another one might take it sooner. */
  private rejected: Send | undefined

  constructor(plan: Plan, rules: Rules, call: Call) {
    this.plan = plan
    this.rules = rules
    this.call = call
    this.first = {
      _tag: "Send",
      name: call.request.model,
      sender: undefined,
      service: plan.own,
      request: call.request,
      options: call.options,
      changes: [],
      rejectionsFallThrough: call.rejectionsFallThrough || plan.chains.main.length > 0
    }
    this.turn = this.first
    this.asked = [this.first]
  }

  /** Whether there is a chain for this, and it has not been walked to its end. */
  readonly leadsOn = (chain: ChainName): boolean =>
    this.plan.chains[chain] !== undefined && (this.chain === chain || !this.begun.includes(chain))

  /** Keeps an answer that is taken for a failure. It is the call's answer if no target has a better one. */
  readonly hold = (error: ClaudeError, answer: Answer): void => {
    if (this.turn._tag === "Send") this.held = { _tag: "Hold", answer, error, given: this.turn }
  }

  /** Says who answered. An answer of the first target says so already, and so does one of a fallback further in. */
  describe<A extends object>(answer: A, turn: Turn<Answer>): A {
    if (turn === this.first && this.passedOver.length === 0) return answer
    const { passedOver } = this
    if (turn._tag === "Give") {
      return AnswerInfo.annotate(answer, { source: turn.source, passedOver: [...passedOver] })
    }
    const { changes, sender } = turn._tag === "Hold" ? turn.given : turn
    const inner = AnswerInfo.of(answer)
    const others = turn._tag === "Hold" ? passedOver.filter(({ error }) => error !== turn.error) : passedOver
    return AnswerInfo.annotate(answer, {
      source: sender === undefined ? inner.source : this.sourceOf(sender, inner.source),
      passedOver: [...others, ...inner.passedOver],
      ...(changes.length === 0 ? undefined : { adapted: [...changes, ...(inner.adapted ?? [])] })
    })
  }

  /** Whose turn it is after the one that failed with this. `None` if the failure is how the call ends. */
  next(error: ClaudeError): Effect.Effect<Option.Option<Turn<Answer>>> {
    return Effect.withFiber((fiber) => {
      const { turn } = this
      this.passedOver.push({ target: turn.name, error })
      if (turn._tag === "Send") this.noteFailure(turn, error)

      const chain = chainOfError(error)
      if (chain !== undefined && this.leadsOn(chain)) {
        if (chain !== this.chain) this.enter(chain)
      } else if (!this.rules.shouldFallback(error)) {
        return this.rejected === turn ? this.waitFor(fiber, turn, error) : Effect.succeedNone
      }
      return this.advance(fiber, error)
    })
  }

  private noteFailure(turn: Send, error: ClaudeError): void {
    const isOurDoing = turn.rejectionsFallThrough && !this.call.rejectionsFallThrough
    if (isOurDoing && isRejection(error) && waitsForRejections(turn.service)) this.rejected = turn
    if (this.rules.isAccountWide(error)) this.exhausted.push(turn.service)
    if (error._tag === "RefusalError") this.refused = { error, service: turn.service }
  }

  private enter(chain: ChainName): void {
    this.chain = chain
    this.position = 0
    this.begun.push(chain)
    // Somebody was reached, so a target that was not is no longer worth waiting for.
    this.rejected = undefined
  }

  private advance(
    fiber: Fiber.Fiber<unknown, unknown>,
    error: ClaudeError
  ): Effect.Effect<Option.Option<Turn<Answer>>> {
    const chain = this.plan.chains[this.chain] ?? []
    for (let target = chain[this.position]; target !== undefined; target = chain[this.position]) {
      this.position += 1
      if (target._tag === "Cached") return this.lookUp(fiber, target.name, error)
      const turn = this.turnOf(target, error, this.position < chain.length)
      if (turn?._tag === "Skip") this.skip(fiber, turn)
      else if (turn !== undefined) return this.proceed(fiber, turn, error)
    }
    if (this.rejected !== undefined) return this.waitFor(fiber, this.rejected, error)
    return Effect.succeed(Option.fromUndefinedOr(this.held))
  }

  private turnOf(
    target: Exclude<Target, { readonly _tag: "Cached" }>,
    error: ClaudeError,
    hasMore: boolean
  ): Send | Give | Skip | undefined {
    const { request } = this.call
    const { name } = target
    switch (target._tag) {
      case "Static":
        return {
          _tag: "Give",
          name,
          message: Effect.sync(() => asMessage(target.answer(request, error), request)),
          source: { _tag: "Static" }
        }
      case "HandOff":
        return {
          _tag: "Give",
          name,
          message: Effect.map(target.handOff(request, error), (given) => asMessage(given, request)),
          source: { _tag: "HandOff" }
        }
      case "Sender":
        return this.sendTo(target, hasMore)
    }
  }

  private sendTo(sender: Sender, hasMore: boolean): Send | Skip | undefined {
    const { adaptation, model, name, service } = sender
    if (this.wasAsked(sender)) return undefined
    if (this.exhausted.includes(service)) return { _tag: "Skip", name, reason: "spend limit of the same account" }
    const isOtherService = service !== this.plan.own
    const { options, request, streamed } = this.call
    const adapted = adaptRequest(request, { model, adaptation, isOtherService, streamed })
    if ("reason" in adapted) return { _tag: "Skip", name, reason: adapted.reason }
    // A credential of one account must neither reach another service nor replace the one that this has.
    const sentOptions = isOtherService ? withoutCredentials(options) : options
    const lostCredentials = sentOptions === options ? [] : ["headers with credentials left out"]
    const credit = this.refused?.service === service ? this.refused.error : undefined
    const redeems = credit?.fallbackCreditToken !== undefined
    const sent = adapted.request.model === request.model ? adapted.request : forOtherModel(adapted.request, service)
    return {
      _tag: "Send",
      name,
      sender,
      service,
      request: credit === undefined ? sent : withToken(sent, credit),
      options: redeems ? withTokenBeta(sentOptions) : sentOptions,
      changes: [...adapted.changes, ...lostCredentials, ...(redeems ? ["fallback credit of the refusal"] : [])],
      rejectionsFallThrough: this.call.rejectionsFallThrough || hasMore
    }
  }

  /** A chain of its own may ask a model again if it asks for something else. */
  private wasAsked({ adaptation, model, service }: Sender): boolean {
    if (this.chain !== "main" && adaptation.adapt !== undefined) return false
    const asks = model ?? this.call.request.model
    return this.asked.some((turn) => turn.service === service && turn.request.model === asks)
  }

  private lookUp(
    fiber: Fiber.Fiber<unknown, unknown>,
    name: string,
    error: ClaudeError
  ): Effect.Effect<Option.Option<Turn<Answer>>> {
    const cache = fiber.getRef(CurrentAnswerCache)
    if (cache === undefined) {
      this.skip(fiber, { name, reason: "no cache" })
      return this.advance(fiber, error)
    }
    return Effect.flatMap(cache.lookup(this.call.request, this.call.options), (found) => {
      if (Option.isNone(found)) {
        this.skip(fiber, { name, reason: "no cached answer" })
        return this.advance(fiber, error)
      }
      const { age, message } = found.value
      const source = { _tag: "Cached", age, stale: true } as const
      return this.proceed(fiber, { _tag: "Give", name, message: Effect.succeed(message), source }, error)
    })
  }

  private skip(fiber: Fiber.Fiber<unknown, unknown>, { name, reason }: Omit<Skip, "_tag">): void {
    this.passedOver.push({ target: name, reason })
    if (isHeard(fiber)) emit(fiber, { _tag: "FallbackSkipped", target: name, reason })
  }

  private proceed(
    fiber: Fiber.Fiber<unknown, unknown>,
    turn: Send | Give,
    error: ClaudeError
  ): Effect.Effect<Option.Option<Turn<Answer>>> {
    if (isHeard(fiber)) {
      emit(fiber, { _tag: "FallbackSwitched", from: this.turn.name, to: turn.name, error: error._tag })
      if (turn._tag === "Send" && turn.changes.length > 0) {
        emit(fiber, { _tag: "FallbackAdapted", target: turn.name, changes: turn.changes })
      }
    }
    this.turn = turn
    if (turn._tag === "Send") this.asked.push(turn)
    return Effect.succeedSome(turn)
  }

  /** Nobody else took the call, so the target that turned it away may be waited for after all. */
  private waitFor(
    fiber: Fiber.Fiber<unknown, unknown>,
    rejected: Send,
    error: ClaudeError
  ): Effect.Effect<Option.Option<Turn<Answer>>> {
    this.rejected = undefined
    return this.proceed(fiber, { ...rejected, rejectionsFallThrough: false }, error)
  }

  private sourceOf({ model, name, service }: Sender, inner: AnswerInfo.Source): AnswerInfo.Source {
    if (inner._tag !== "Requested" && inner._tag !== "Model") return inner
    const other = inner._tag === "Model" ? inner.model : model
    if (service === this.plan.own) return { _tag: "Model", model: other ?? name }
    return { _tag: "Service", name, ...(other === undefined ? undefined : { model: other }) }
  }
}

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Deadline from "@effect-claude/resilience/Deadline"
import * as Retry from "@effect-claude/resilience/Retry"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type ClaudeError, InvalidResponseError } from "../../ClaudeError.ts"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import { ClaudeService, type ClaudeServiceShape, type MessageRequest } from "../../ClaudeService.ts"
import { isContent, makeAccumulator } from "../../MessageEvents.ts"
import * as TokenUsage from "../../TokenUsage.ts"
import { makeMemory, type OpenRun } from "../../ToolLedger.ts"
import { ToolLedgerError } from "../../ToolLedgerError.ts"
import { ToolLoopError, type ToolLoopFailure } from "../../ToolLoopError.ts"
import type { ToolLoopResult } from "../../ToolLoopEvent.ts"
import type { Entry } from "../../ToolRecord.ts"
import { shortfallError } from "../answer/shortfall.ts"
import { canonicalJson } from "../canonicalRequest.ts"
import { nameOf } from "../foreignError.ts"
import { stoppedBy } from "../stoppedBy.ts"
import { callKeys } from "./callKeys.ts"
import { Conversation, readable } from "./Conversation.ts"
import type { Emit, Plan } from "./Plan.ts"
import { type Call, type Halt, ToolCalls } from "./ToolCall.ts"
import { uniqueId } from "./uniqueId.ts"
import { unusable } from "./unusable.ts"

/** How a run is driven, beside what it is to do. */
export interface Drive {
  readonly emit: Emit
  readonly isStreaming: boolean
}

type Fields = ConstructorParameters<typeof ToolLoopError>[0]

type Why<E> = Omit<Fields, "runId" | "transcript" | "usage" | "steps" | "isRepeatable"> & { readonly toolError?: E }

/** The class does not know the type of its `toolError`; the fields it is made of do. */
const failureOf = <E>(fields: Fields & { readonly toolError?: E }): ToolLoopFailure<E> => {
  const Failure = ToolLoopError as new(fields: Fields) => ToolLoopFailure<E>
  return new Failure(fields)
}

/** One run, from its beginning or from where its ledger says. */
class Loop<E, R> {
  readonly #plan: Plan<E, R>
  readonly #drive: Drive
  readonly #claude: ClaudeServiceShape
  readonly #runId: string
  readonly #run: OpenRun
  readonly #calls: ToolCalls<E, R>
  readonly #conversation: Conversation
  readonly #schedule: Schedule.Schedule<unknown, ClaudeError>
  /** What attempts took that came to nothing, until it is recorded. */
  #spent = TokenUsage.zero
  #attempt = 1
  #hasShownContent = false

  constructor(
    plan: Plan<E, R>,
    drive: Drive,
    parts: {
      readonly claude: ClaudeServiceShape
      readonly runId: string
      readonly run: OpenRun
      readonly conversation: Conversation
    }
  ) {
    this.#plan = plan
    this.#drive = drive
    this.#claude = parts.claude
    this.#runId = parts.runId
    this.#run = parts.run
    this.#conversation = parts.conversation
    this.#calls = new ToolCalls(plan.tools, parts.run, drive.emit)
    this.#schedule = this.#scheduleOfSteps()
  }

  toEnd(): Effect.Effect<ToolLoopResult, ToolLoopFailure<E>, R> {
    const conversation = this.#conversation
    return Effect.gen({ self: this }, function*() {
      const { messages } = this.#plan.request
      if (conversation.hasBegun) {
        yield* this.#drive.emit({ _tag: "Resumed", steps: conversation.steps })
      } else if (!isSame(messages, conversation.messages)) {
        // Also in the place of messages to which there was no answer: they may be what was wrong.
        yield* this.#record({ _tag: "Began", messages })
      }
      while (!conversation.isOver) {
        // Before tools too: nobody would be left to be told of their results.
        yield* this.#checkLimits()
        if (conversation.openCalls.length > 0) yield* this.#runTools()
        else yield* this.#ask()
      }
      const result = this.#result(conversation.answer)
      yield* this.#drive.emit({ _tag: "Finished", result })
      return result
    })
  }

  #result(message: Message | undefined): ToolLoopResult {
    if (message === undefined) throw new Error("A conversation that is over has an answer")
    const { messages, steps, usage } = this.#conversation
    return { message, transcript: [...messages], usage, steps, runId: this.#runId }
  }

  #checkLimits(): Effect.Effect<void, ToolLoopFailure<E>> {
    const { answer, pauses, steps, usage } = this.#conversation
    const { limits } = this.#plan
    if (steps >= limits.steps) {
      return this.#stop({
        message: `The limit of ${limits.steps} steps is reached`,
        reason: "steps",
        limit: limits.steps
      })
    }
    if (TokenUsage.total(usage) >= limits.tokens) {
      return this.#stop({
        message: `The limit of ${limits.tokens} tokens is reached: ${TokenUsage.total(usage)} are used`,
        reason: "tokens",
        limit: limits.tokens
      })
    }
    if (pauses > limits.pauses && answer !== undefined) {
      return this.#failed(shortfallError(answer, "pause_turn", { turns: pauses }))
    }
    return Effect.void
  }

  #runTools(): Effect.Effect<void, ToolLoopFailure<E>, R> {
    return Effect.gen({ self: this }, function*() {
      const { openCalls, position } = this.#conversation
      const keys = callKeys(this.#runId, position, openCalls)
      const calls = openCalls.map((block, index): Call => ({
        block,
        runId: this.#runId,
        // A conversation that was handed in may begin with calls that no step of this run has asked for.
        step: Math.max(1, this.#conversation.steps),
        tool: block.name,
        toolUseId: block.id,
        idempotencyKey: keys[index] ?? ""
      }))
      // Once a call has stopped the loop no other one begins; those that have begun may end.
      let stopped: { readonly call: Call; readonly halt: Halt<E> } | undefined
      const settled = yield* Effect.forEach(
        calls,
        (call) =>
          stopped !== undefined ? Effect.undefined : Effect.map(this.#calls.settle(call), (outcome) => {
            if (outcome._tag === "Result") return outcome.block
            stopped ??= { call, halt: outcome.halt }
            return undefined
          }),
        { concurrency: this.#plan.concurrency }
      )
      if (stopped !== undefined) return yield* this.#halted(stopped.call, stopped.halt)
      yield* this.#record({ _tag: "ToolsRan", results: settled.filter((block) => block !== undefined) })
    })
  }

  #halted({ idempotencyKey, tool, toolUseId }: Call, halt: Halt<E>): Effect.Effect<never, ToolLoopFailure<E>> {
    if (halt._tag === "Ledger") return this.#ledgerFailed(halt.error)
    const call = { tool, toolUseId, idempotencyKey }
    if (halt._tag === "UnknownOutcome") {
      return this.#stop({
        ...call,
        message: `Nobody knows how call ${idempotencyKey} of tool ${tool} ended`,
        reason: "unknownOutcome",
        ...(halt.cause === undefined ? undefined : { cause: halt.cause })
      })
    }
    return this.#stop({
      ...call,
      message: `Tool ${tool} failed with ${nameOf(halt.error) ?? "an error"}`,
      reason: "tool",
      toolError: halt.error
    })
  }

  #ask(): Effect.Effect<void, ToolLoopFailure<E>> {
    return Effect.gen({ self: this }, function*() {
      const step = this.#conversation.steps + 1
      yield* this.#drive.emit({ _tag: "StepStarted", step })
      this.#attempt = 1
      const answered = yield* Effect.result(Retry.retry(this.#askOnce(step), this.#schedule))
      if (answered._tag === "Failure") return yield* this.#stepFailed(answered.failure)
      const message = readable(answered.success)
      const error = unusable(message)
      if (error !== undefined) {
        this.#spend(TokenUsage.of(message))
        return yield* this.#stepFailed(error)
      }
      yield* this.#recordSpent()
      yield* this.#record({ _tag: "Answered", message })
      yield* this.#drive.emit({ _tag: "StepAnswered", step, message })
    })
  }

  #stepFailed(error: ClaudeError): Effect.Effect<never, ToolLoopFailure<E>> {
    // What the step failed with matters more than a ledger that cannot keep what it took.
    return Effect.andThen(Effect.ignore(this.#recordSpent()), this.#failed(error))
  }

  #askOnce(step: number): Effect.Effect<Message, ClaudeError> {
    return Effect.suspend(() => {
      this.#hasShownContent = false
      const request = this.#request()
      const answer = this.#drive.isStreaming
        ? this.#streamed(request, step)
        : this.#claude.createMessage(request, this.#plan.call)
      return Effect.tapError(
        answer,
        ({ partial }) => Effect.sync(() => this.#spend(TokenUsage.of(partial?.message ?? {})))
      )
    })
  }

  #streamed(request: MessageRequest, step: number): Effect.Effect<Message, ClaudeError> {
    return Effect.suspend(() => {
      const accumulator = makeAccumulator()
      const events = this.#claude.streamMessage(request, this.#plan.call)
      return Effect.flatMap(
        Stream.runForEach(events, (event) => {
          accumulator.add(event)
          if (isContent(event)) this.#hasShownContent = true
          return this.#drive.emit({ _tag: "ModelEvent", step, event })
        }),
        () => {
          const message = accumulator.message()
          return message === undefined
            ? Effect.fail(new InvalidResponseError({ message: "The stream had no events", model: request.model }))
            : Effect.succeed(message)
        }
      )
    })
  }

  #request(): MessageRequest {
    const { definitions, request } = this.#plan
    const { answer, container, hasRunTools, messages } = this.#conversation
    const choice = request.tool_choice
    // A tool that must be called in each step would never let the conversation end.
    const isForced = (choice?.type === "any" || choice?.type === "tool") && (hasRunTools || answer !== undefined)
    return {
      ...request,
      messages: [...messages],
      ...(definitions.length === 0 ? undefined : { tools: [...definitions] }),
      ...(isForced ? { tool_choice: { ...parallelism(choice), type: "auto" as const } } : undefined),
      ...(request.container === undefined && container !== undefined ? { container } : undefined)
    }
  }

  /** Three attempts, unless the service retries by itself: then again only what it could not, an answer that broke off. */
  #scheduleOfSteps(): Schedule.Schedule<unknown, ClaudeError> {
    const given = this.#plan.retry
    const retriesItself = given === undefined
      && (this.#claude.policies ?? []).some(({ name }) => name === "retry")
    const told = Schedule.tap(given ?? ClaudeSchedule.standard, ({ duration, input }) =>
      Effect.suspend(() => {
        const step = this.#conversation.steps + 1
        const attempt = this.#attempt++
        return this.#drive.emit({ _tag: "StepRetried", step, attempt, error: input, wait: duration })
      }))
    const isFinal = ({ verdict }: ClaudeError) => verdict._tag === "Stop" || (retriesItself && !this.#hasShownContent)
    return stoppedBy(told, Effect.succeed(isFinal))
  }

  #spend(usage: TokenUsage.TokenUsage): void {
    this.#spent = TokenUsage.add(this.#spent, usage)
  }

  #recordSpent(): Effect.Effect<void, ToolLoopFailure<E>> {
    return Effect.suspend(() => {
      const usage = this.#spent
      if (TokenUsage.total(usage) === 0) return Effect.void
      const recorded = Effect.tap(this.#record({ _tag: "Spent", usage }), () =>
        Effect.sync(() => {
          this.#spent = TokenUsage.zero
        }))
      // Until then it is told by the error, and never by both.
      return Effect.uninterruptible(recorded)
    })
  }

  #record(entry: Entry): Effect.Effect<void, ToolLoopFailure<E>> {
    return Effect.uninterruptible(
      this.#run.append(entry).pipe(
        Effect.catch((error) => this.#ledgerFailed(error)),
        Effect.andThen(Effect.sync(() => this.#conversation.apply(entry)))
      )
    )
  }

  #failed(error: ClaudeError): Effect.Effect<never, ToolLoopFailure<E>> {
    return Effect.suspend(() =>
      this.#stop({ message: `Step ${this.#conversation.steps + 1} failed: ${error.message}`, reason: "claude", error })
    )
  }

  #ledgerFailed(ledgerError: ToolLedgerError): Effect.Effect<never, ToolLoopFailure<E>> {
    return this.#stop({ message: ledgerError.message, reason: "ledger", ledgerError })
  }

  #stop(why: Why<E>): Effect.Effect<never, ToolLoopFailure<E>> {
    return Effect.suspend(() => Effect.fail(this.failure(why)))
  }

  /** Why it stopped, with all that was done until then. */
  failure(why: Why<E>): ToolLoopFailure<E> {
    const { messages, steps, usage } = this.#conversation
    return failureOf<E>({
      ...why,
      runId: this.#runId,
      transcript: [...messages],
      usage: TokenUsage.add(usage, this.#spent),
      steps,
      isRepeatable: this.#plan.ledger !== undefined || !this.#calls.hasBegun
    })
  }
}

const isSame = (one: unknown, other: unknown): boolean => {
  try {
    return canonicalJson(one) === canonicalJson(other)
  } catch {
    return false
  }
}

const parallelism = (choice: { readonly disable_parallel_tool_use?: boolean } | undefined) =>
  choice?.disable_parallel_tool_use === undefined
    ? undefined
    : { disable_parallel_tool_use: choice.disable_parallel_tool_use }

/** The entries of a run as its conversation; not those of something else, which do not begin as a run does. */
const replay = (runId: string, entries: ReadonlyArray<Entry>): Effect.Effect<Conversation, ToolLedgerError> => {
  const conversation = new Conversation()
  if (entries.length > 0 && entries[0]?._tag !== "Began") {
    return Effect.fail(
      new ToolLedgerError({ message: `Run "${runId}" has no beginning`, reason: "corrupt", runId })
    )
  }
  for (const entry of entries) conversation.apply(entry)
  return Effect.succeed(conversation)
}

/** Runs a plan to its end. */
export const execute = <E, R>(
  plan: Plan<E, R>,
  drive: Drive
): Effect.Effect<ToolLoopResult, ToolLoopFailure<E>, R | ClaudeService> =>
  Effect.gen(function*() {
    const claude = yield* ClaudeService
    const runId = plan.runId ?? (yield* uniqueId)
    const ledger = plan.ledger ?? (yield* makeMemory)
    let loop: Loop<E, R> | undefined
    const failure = (why: Why<E>): ToolLoopFailure<E> =>
      loop?.failure(why) ?? failureOf<E>({
        ...why,
        runId,
        transcript: plan.request.messages,
        usage: TokenUsage.zero,
        steps: 0,
        isRepeatable: true
      })

    const opened = Effect.gen(function*() {
      const run = yield* ledger.open(runId)
      return { run, conversation: yield* replay(runId, run.entries) }
    })
    const all = opened.pipe(
      Effect.mapError((ledgerError) => failure({ message: ledgerError.message, reason: "ledger", ledgerError })),
      Effect.flatMap((parts) => {
        loop = new Loop(plan, drive, { claude, runId, ...parts })
        return loop.toEnd()
      })
    )
    const { time } = plan.limits
    if (!Duration.isFinite(time)) return yield* all
    return yield* Deadline.withDeadlineOrElse(all, {
      duration: time,
      orElse: ({ limit }) =>
        Effect.fail(failure({
          message: `The run did not end within ${Duration.format(limit)}`,
          reason: "time",
          limit: Duration.toMillis(limit)
        }))
    })
  })

import type { ToolResultBlockParam, ToolUseBlockParam } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ClaudeTool, PreparedCall, ToolContext } from "../../ClaudeTool.ts"
import type { CallState, OpenRun } from "../../ToolLedger.ts"
import type { ToolLedgerError } from "../../ToolLedgerError.ts"
import type { ToolCallInfo, ToolOutcome } from "../../ToolLoopEvent.ts"
import type { ToolResult } from "../../ToolRecord.ts"
import { messageOf, nameOf } from "../foreignError.ts"
import { redact } from "../redact.ts"
import type { Emit } from "./Plan.ts"
import { sendableResult } from "./sendableResult.ts"

/** A call that the model has asked for. */
export interface Call extends ToolCallInfo {
  readonly runId: string
  readonly block: ToolUseBlockParam
}

/** Why a call stops the loop. */
export type Halt<E> =
  | { readonly _tag: "Failed"; readonly error: E }
  | { readonly _tag: "UnknownOutcome"; readonly cause?: unknown }
  | { readonly _tag: "Ledger"; readonly error: ToolLedgerError }

/** What became of a call: a result for the model, or the end of the loop. */
export type Settled<E> =
  | { readonly _tag: "Result"; readonly block: ToolResultBlockParam }
  | { readonly _tag: "Halt"; readonly halt: Halt<E> }

interface Outcome {
  readonly outcome: ToolOutcome
  readonly result: ToolResult
  readonly cause?: Cause.Cause<unknown> | undefined
}

const failed = (content: ToolResult["content"]): ToolResult => ({ content, isError: true })

const succeeded = (content: ToolResult["content"]): ToolResult => ({ content, isError: false })

const died = failed("The tool failed unexpectedly. It is not known whether it had an effect.")

const blockOf = ({ block }: Call, { content, isError }: ToolResult): ToolResultBlockParam => ({
  type: "tool_result",
  tool_use_id: block.id,
  content,
  ...(isError ? { is_error: true } : undefined),
  ...("toolset_name" in block && typeof block.toolset_name === "string"
    ? { toolset_name: block.toolset_name }
    : undefined)
})

/** Runs calls of tools, each at most once for all runs that share the ledger. */
export class ToolCalls<E, R> {
  readonly #tools: ReadonlyMap<string, ClaudeTool<E, R>>
  readonly #run: OpenRun
  readonly #emit: Emit
  /** Whether a tool has begun in this run. */
  hasBegun = false

  constructor(tools: ReadonlyMap<string, ClaudeTool<E, R>>, run: OpenRun, emit: Emit) {
    this.#tools = tools
    this.#run = run
    this.#emit = emit
  }

  settle(call: Call): Effect.Effect<Settled<E>, never, R> {
    return Effect.gen({ self: this }, function*() {
      const found = yield* this.#outcomeOf(call)
      const outcome: Outcome = { ...found, result: sendableResult(found.result) }
      const { idempotencyKey, step, tool, toolUseId } = call
      yield* this.#emit({ _tag: "ToolFinished", step, tool, toolUseId, idempotencyKey, ...outcome })
      return { _tag: "Result" as const, block: blockOf(call, outcome.result) }
    }).pipe(Effect.catch((halt) => Effect.succeed<Settled<E>>({ _tag: "Halt", halt })))
  }

  #outcomeOf(call: Call): Effect.Effect<Outcome, Halt<E>, R> {
    return Effect.gen({ self: this }, function*() {
      // Before the tool is looked at, which may be another one today than when the call began.
      const state = yield* this.#ledger(this.#run.find(call.idempotencyKey))
      if (state?._tag === "Finished") return { outcome: "replayed" as const, result: state.result }
      const isOpen = state?._tag === "Open"
      const tool = this.#tools.get(call.tool)
      if (tool === undefined) {
        if (isOpen) return yield* Effect.fail<Halt<E>>({ _tag: "UnknownOutcome" })
        const names = [...this.#tools.keys()].join(", ") || "none"
        return { outcome: "rejected" as const, result: failed(`There is no tool of this name. Tools: ${names}`) }
      }
      const prepared = yield* Effect.exit(tool.prepare(call.block.input))
      if (Exit.isFailure(prepared)) {
        if (isOpen && !Cause.hasInterruptsOnly(prepared.cause)) {
          return yield* Effect.fail<Halt<E>>({ _tag: "UnknownOutcome" })
        }
        return yield* this.#unread(call, prepared.cause)
      }
      if (isOpen) {
        const recovered = yield* this.#recover(tool, prepared.value, call, state)
        if (recovered !== undefined) return { outcome: "recovered" as const, result: recovered }
      }
      return yield* this.#begin(tool, prepared.value, call, (state?.attempt ?? 0) + 1)
    })
  }

  /** An input that could not be read goes back with its issues, and with nothing if reading it has died. */
  #unread(call: Call, cause: Cause.Cause<string>): Effect.Effect<Outcome> {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const issues = Cause.findErrorOption(cause)
    if (Option.isSome(issues)) {
      const result = failed(`The input is not what ${call.tool} takes, and it was not run.\n${issues.value}`)
      return Effect.succeed({ outcome: "rejected", result })
    }
    return Effect.as(this.#tellOfDefect(call, cause), { outcome: "failed", result: died, cause })
  }

  /** How a call ended that began in an earlier run: its result, or `undefined` if it may be run again. */
  #recover(
    { idempotent }: ClaudeTool<E, R>,
    { recover }: PreparedCall<E, R>,
    call: Call,
    { attempt }: CallState & { readonly _tag: "Open" }
  ): Effect.Effect<ToolResult | undefined, Halt<E>, R> {
    return Effect.gen({ self: this }, function*() {
      if (recover === undefined) {
        return idempotent ? undefined : yield* Effect.fail<Halt<E>>({ _tag: "UnknownOutcome" })
      }
      const found = yield* recover(contextOf(call, attempt))
      if (Exit.isFailure(found)) {
        if (Cause.hasInterruptsOnly(found.cause)) return yield* Effect.failCause(found.cause as Cause.Cause<never>)
        return yield* Effect.fail<Halt<E>>({ _tag: "UnknownOutcome", cause: Cause.squash(found.cause) })
      }
      if (Option.isNone(found.value)) return undefined
      const result = succeeded(found.value.value)
      yield* this.#ledger(this.#run.finish(call.idempotencyKey, result))
      return result
    })
  }

  /** From the moment that the start is recorded, the end is as well: an interruption reaches the tool and nothing else. */
  #begin(
    tool: ClaudeTool<E, R>,
    prepared: PreparedCall<E, R>,
    call: Call,
    attempt: number
  ): Effect.Effect<Outcome, Halt<E>, R> {
    const { idempotencyKey, step, toolUseId } = call
    const input = call.block.input
    return Effect.andThen(
      this.#emit({ _tag: "ToolStarted", step, tool: tool.name, toolUseId, idempotencyKey, attempt, input }),
      Effect.uninterruptibleMask((restore) =>
        Effect.gen({ self: this }, function*() {
          yield* this.#ledger(this.#run.start(idempotencyKey, { tool: tool.name, attempt }))
          this.hasBegun = true
          let reached = false
          const exit = yield* Effect.suspend(() => {
            reached = true
            return prepared.run(contextOf(call, attempt))
          }).pipe(restore, Effect.exit, (run) => spanned(run, call))
          if (Exit.isFailure(exit) && !reached) yield* this.#ledger(this.#run.release(idempotencyKey))
          return yield* this.#ended(tool, call, exit)
        })
      )
    )
  }

  #ended(
    tool: ClaudeTool<E, R>,
    call: Call,
    exit: Exit.Exit<ToolResult["content"], E>
  ): Effect.Effect<Outcome, Halt<E>> {
    return Effect.gen({ self: this }, function*() {
      const outcome = Exit.isSuccess(exit)
        ? { outcome: "succeeded" as const, result: succeeded(exit.value) }
        : yield* this.#failure(tool, call, exit.cause)
      yield* this.#ledger(this.#run.finish(call.idempotencyKey, outcome.result))
      return outcome
    })
  }

  #failure(tool: ClaudeTool<E, R>, call: Call, cause: Cause.Cause<E>): Effect.Effect<Outcome, Halt<E>> {
    return Effect.gen({ self: this }, function*() {
      if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause as Cause.Cause<never>)
      const error = Cause.hasDies(cause) ? Option.none() : Cause.findErrorOption(cause)
      if (Option.isNone(error)) {
        yield* this.#tellOfDefect(call, cause)
        return { outcome: "failed" as const, result: died, cause }
      }
      const judged = yield* Effect.exit(Effect.sync(() => tool.judge(error.value)))
      if (Exit.isFailure(judged)) {
        yield* this.#tellOfDefect(call, judged.cause)
        return { outcome: "failed" as const, result: failed("The tool failed."), cause }
      }
      if (judged.value !== undefined) {
        return { outcome: "failed" as const, result: failed(judged.value), cause }
      }
      yield* this.#ledger(this.#run.release(call.idempotencyKey))
      return yield* Effect.fail<Halt<E>>({ _tag: "Failed", error: error.value })
    })
  }

  /** A defect is hidden from the model, and must not be from those who keep the program. */
  #tellOfDefect({ block, idempotencyKey, tool }: Call, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const defect = Cause.squash(cause)
    const message = redact(messageOf(defect), { request: { input: block.input } })
    return Effect.annotateLogs(
      Effect.logError(`Tool ${tool} died: ${nameOf(defect) ?? "a defect"}${message === "" ? "" : `: ${message}`}`),
      { idempotencyKey }
    )
  }

  #ledger<A>(effect: Effect.Effect<A, ToolLedgerError>): Effect.Effect<A, Halt<E>> {
    return Effect.mapError(effect, (error): Halt<E> => ({ _tag: "Ledger", error }))
  }
}

const contextOf = (call: Call, attempt: number): ToolContext => ({
  idempotencyKey: call.idempotencyKey,
  toolUseId: call.toolUseId,
  runId: call.runId,
  step: call.step,
  attempt
})

/** Its span knows that a tool failed, but not the text of the failure or what it gave, which may be anybody's. */
const spanned = <A, E, R>(
  run: Effect.Effect<Exit.Exit<A, E>, never, R>,
  { idempotencyKey, tool, toolUseId }: Call
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function*() {
    // A span ends with the exit of its effect, the value in it too.
    let ended: Exit.Exit<A, E> | undefined
    yield* Effect.flatMap(run, (exit) => {
      ended = exit
      return Exit.isSuccess(exit)
        ? Effect.void
        : Effect.annotateCurrentSpan("error.type", nameOf(Cause.squash(exit.cause)) ?? "unknown")
    }).pipe(
      Effect.withSpan(`execute_tool ${tool}`, {
        kind: "internal",
        attributes: {
          "gen_ai.operation.name": "execute_tool",
          "gen_ai.tool.name": tool,
          "gen_ai.tool.call.id": toolUseId,
          "claude.tool.idempotency_key": idempotencyKey
        }
      })
    )
    return ended ?? Exit.die(new Error("The span of a tool ended before the tool"))
  })

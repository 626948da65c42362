/**
 * An agent: asks Claude, runs the tools it asks for, tells it their results, and goes on until it is done.
 *
 * **Details**
 *
 * Each step asks through the `ClaudeService`, so every policy around it applies. What goes wrong stays where it belongs: a
 * failing tool is told to the model, a failing step is repeated if its error may pass, and everything else stops the run
 * with a `ToolLoopError` that holds the conversation so far.
 *
 * A tool runs only on a whole answer that stopped for its tools, with an input that its Schema decodes. Each call has an
 * idempotency key, and with a `ToolLedger` a run that stopped, or whose process was killed, goes on under its id without
 * running a tool twice.
 *
 * **Example** (An agent with a tool)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Data from "effect/Data"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * class NoSuchArticle extends Data.TaggedError("NoSuchArticle")<{ readonly message: string }> {}
 *
 * const stock = ClaudeTool.make("get_stock", {
 *   description: "Tells how many pieces of an article are in stock",
 *   input: Schema.Struct({ article: Schema.String }),
 *   run: ({ article }) =>
 *     article === "lamp" ? Effect.succeed("12") : Effect.fail(new NoSuchArticle({ message: `No article ${article}` }))
 * })
 *
 * const Claude = ClaudeTest.script([
 *   Reply.tool("get_stock", { article: "lamps" }),
 *   Reply.tool("get_stock", { article: "lamp" }),
 *   Reply.text("There are 12 lamps.")
 * ])
 * const program = ToolLoop.run({
 *   request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: "How many lamps?" }] },
 *   tools: [stock]
 * })
 *
 * const { message, steps } = await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(steps, 3)
 * assert.deepStrictEqual(message.content, [{ type: "text", text: "There are 12 lamps.", citations: null }])
 * ```
 *
 * @since 0.1.0
 */
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ClaudeError } from "./ClaudeError.ts"
import type { CallOptions, ClaudeService, MessageRequest } from "./ClaudeService.ts"
import type { ClaudeTool } from "./ClaudeTool.ts"
import { execute } from "./internal/tools/Loop.ts"
import type { Limits as CheckedLimits, Plan } from "./internal/tools/Plan.ts"
import type { ToolLedger } from "./ToolLedger.ts"
import type { ToolLoopFailure } from "./ToolLoopError.ts"
import type { ToolLoopEvent, ToolLoopResult } from "./ToolLoopEvent.ts"

/**
 * What a run may take before it stops with a `ToolLoopError`.
 *
 * **Details**
 *
 * - `steps`: answers of the model; 20. The tools that the last of them asks for are not run, since nobody would be told of
 *   their results.
 * - `tokens`: all tokens of all steps, input and output, cached or not, failed attempts included as far as they are known; no
 *   limit. Checked before each step and before tools, so one answer may pass it.
 * - `time`: from the start of this run, everything included; no limit. What runs is interrupted, tools too. It is a deadline
 *   of `Deadline`, so tools and policies inside see what is left.
 * - `pauses`: how often one step may pause (`pause_turn`) and be sent on as it is; 10.
 *
 * Steps, tokens and pauses count over restarts of a run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly steps?: number | undefined
  readonly tokens?: number | undefined
  readonly time?: Duration.Input | undefined
  readonly pauses?: number | undefined
}

/**
 * A tool, whatever it fails with and needs.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyTool = ClaudeTool<unknown, unknown>

type ErrorOfTool<Tool> = Tool extends ClaudeTool<infer E, infer _> ? E : never

type ServicesOfTool<Tool> = Tool extends ClaudeTool<infer _, infer R> ? R : never

/**
 * What the tools stop a run for.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolErrors<Tools extends ReadonlyArray<AnyTool>> = ErrorOfTool<Tools[number]>

/**
 * What the tools need.
 *
 * @category models
 * @since 0.1.0
 */
export type ToolServices<Tools extends ReadonlyArray<AnyTool>> = ServicesOfTool<Tools[number]>

/**
 * What a run is to do.
 *
 * **Details**
 *
 * - `request`: what to ask. Its `messages` begin the conversation; if they end with calls of tools, as a transcript may, those
 *   run first. Its `tools` are sent along: those that the API runs itself. A `tool_choice` that forces a tool holds for the
 *   first step, or the conversation would never end.
 * - `tools`: the tools that run here.
 * - `call`: the headers of each request.
 * - `limits`: see {@link Limits}.
 * - `retry`: how a step is repeated whose error may pass; `ClaudeSchedule.standard`, which makes three attempts and waits as
 *   long as the server says. If the service has a `withRetry` of its own, only answers that broke off while they were
 *   streamed are repeated by default, since the service has tried the others often enough. A `Stop` is never repeated.
 * - `concurrency`: how many tools of one answer run at a time; 1. Their results are in the order of the calls.
 * - `runId`: the id of the run, part of every idempotency key; a new one. A run with the id of an earlier one goes on with that, if
 *   the `ledger` is the same: once the model has answered, the conversation that was saved wins over the `messages` of the
 *   request.
 * - `ledger`: where the run is kept; in memory, until it is over. Needs a `runId`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Tools extends ReadonlyArray<AnyTool>> {
  readonly request: MessageRequest
  readonly tools: Tools
  readonly call?: CallOptions | undefined
  readonly limits?: Limits | undefined
  readonly retry?: Schedule.Schedule<unknown, ClaudeError> | undefined
  readonly concurrency?: number | "unbounded" | undefined
  readonly runId?: string | undefined
  readonly ledger?: ToolLedger | undefined
}

/**
 * Options of {@link run}.
 *
 * **Details**
 *
 * - `streaming`: whether answers are streamed, as answers of more than 21,333 tokens must be; `false`
 * - `onEvent`: is told what happens, and waited for
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<Tools extends ReadonlyArray<AnyTool>> extends Options<Tools> {
  readonly streaming?: boolean | undefined
  readonly onEvent?: ((event: ToolLoopEvent) => Effect.Effect<void>) | undefined
}

const ignore = () => Effect.void

/**
 * Runs a conversation with tools to its end.
 *
 * **Details**
 *
 * In each step, in this order:
 *
 * 1. Claude is asked. An error with a `Stop` verdict stops the run, another one repeats the step.
 * 2. An answer that is cut, refused or empty, or that asks for a tool and did not stop for it, stops the run with the error that
 *    it amounts to; it does not become part of the conversation, and none of its tools run. One that pauses is sent on as it is.
 * 3. The tools it asks for run. A name that is not known, an input that does not decode, a failure and a defect go back to the
 *    model as error results.
 *
 * A wrong option throws a `RangeError` that names it.
 *
 * **Gotchas**
 *
 * - Without a `ledger` a run that is repeated as a whole runs its tools again. Its error's verdict is then `Stop` as
 *   soon as one has begun.
 * - A tool that is interrupted, by a deadline or with the run, has begun and not ended: see `recover` and `idempotent` of the
 *   tool.
 *
 * **Example** (Going on after a crash)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as PersistedToolLedger from "@effect-claude/client/PersistedToolLedger"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as KeyValueStore from "effect/persistence/KeyValueStore"
 * import * as Schema from "effect/Schema"
 *
 * const sent: Array<string> = []
 * const send = ClaudeTool.make("send_mail", {
 *   description: "Sends a mail",
 *   input: Schema.Struct({ to: Schema.String }),
 *   // The mail provider drops a second mail with the same key.
 *   run: ({ to }, { idempotencyKey }) => Effect.sync(() => void sent.push(`${to} ${idempotencyKey}`)),
 *   idempotent: true
 * })
 * const answer = Effect.gen(function*() {
 *   const ledger = yield* PersistedToolLedger.fromKeyValueStore({ prefix: "agents/" })
 *   return yield* ToolLoop.run({
 *     request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: "Invite Ann" }] },
 *     tools: [send],
 *     limits: { steps: 10, tokens: 100_000, time: "10 minutes" },
 *     runId: "invitation-7",
 *     ledger
 *   })
 * })
 *
 * const Claude = ClaudeTest.script([Reply.tool("send_mail", { to: "ann@example.com" }), Reply.text("Done.")])
 * const result = await Effect.runPromise(
 *   // The second time everything is there already, and nobody is asked.
 *   Effect.andThen(answer, answer).pipe(Effect.provide([Claude, KeyValueStore.layerMemory]))
 * )
 * assert.strictEqual(result.steps, 2)
 * assert.strictEqual(sent.length, 1)
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const run = <const Tools extends ReadonlyArray<AnyTool>>(
  options: RunOptions<Tools>
): Effect.Effect<ToolLoopResult, ToolLoopFailure<ToolErrors<Tools>>, ClaudeService | ToolServices<Tools>> =>
  execute(planOf("ToolLoop.run", options), {
    emit: options.onEvent ?? ignore,
    isStreaming: options.streaming ?? false
  })

/**
 * Runs a conversation with tools and emits what happens, the words of the model as they come. The last event is `Finished`.
 *
 * **Details**
 *
 * As {@link run}, with streamed answers. A consumer that is slow slows down the run and the connection behind it. Leaving
 * the stream interrupts the run, tools too.
 *
 * **Example** (Showing an agent at work)
 *
 * ```ts
 * import * as ClaudeTool from "@effect-claude/client/ClaudeTool"
 * import * as ToolLoop from "@effect-claude/client/ToolLoop"
 * import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
 * import * as Reply from "@effect-claude/testing/Reply"
 * import { assert } from "@effect/vitest"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import * as Stream from "effect/Stream"
 *
 * const clock = ClaudeTool.make("get_time", {
 *   description: "Tells the time",
 *   input: Schema.Struct({}),
 *   run: () => Effect.succeed("12:30")
 * })
 * const shown: Array<string> = []
 * const program = ToolLoop.stream({
 *   request: { model: "claude-sonnet-5-5", max_tokens: 500, messages: [{ role: "user", content: "What time is it?" }] },
 *   tools: [clock]
 * }).pipe(
 *   Stream.runForEach((event) =>
 *     Effect.sync(() => {
 *       if (event._tag === "ToolStarted") shown.push(`[${event.tool}]`)
 *       if (event._tag === "ModelEvent" && event.event.type === "content_block_delta") {
 *         if (event.event.delta.type === "text_delta") shown.push(event.event.delta.text)
 *       }
 *     })
 *   )
 * )
 *
 * const Claude = ClaudeTest.script([Reply.tool("get_time", {}), Reply.text("Half past twelve")])
 * await Effect.runPromise(program.pipe(Effect.provide(Claude)))
 * assert.strictEqual(shown.join(""), "[get_time]Half past twelve")
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const stream = <const Tools extends ReadonlyArray<AnyTool>>(
  options: Options<Tools>
): Stream.Stream<ToolLoopEvent, ToolLoopFailure<ToolErrors<Tools>>, ClaudeService | ToolServices<Tools>> => {
  const plan = planOf("ToolLoop.stream", options)
  return Stream.callback<ToolLoopEvent, ToolLoopFailure<ToolErrors<Tools>>, ClaudeService | ToolServices<Tools>>(
    (queue) =>
      Queue.into(
        execute(plan, { emit: (event) => Effect.asVoid(Queue.offer(queue, event)), isStreaming: true }),
        queue
      ),
    { bufferSize: 16, strategy: "suspend" }
  )
}

const longestRunId = 100

// It is part of keys, and of names of files.
const isRunId = (runId: string): boolean =>
  runId !== "" && runId.isWellFormed() && encodeURIComponent(runId).length <= longestRunId

const planOf = <const Tools extends ReadonlyArray<AnyTool>>(
  owner: string,
  options: Options<Tools>
): Plan<ToolErrors<Tools>, ToolServices<Tools>> => {
  const { concurrency = 1, ledger, request, runId } = options
  // Each is one of the tools, so what it fails with and needs is among what all of them do.
  const ours = options.tools as ReadonlyArray<AnyTool> as ReadonlyArray<
    ClaudeTool<ToolErrors<Tools>, ToolServices<Tools>>
  >
  const tools = new Map(ours.map((tool) => [tool.name, tool]))
  const names = [...ours.map(({ name }) => name), ...(request.tools ?? []).flatMap(nameOfTool)]
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw OptionCheck.refuse(owner, "tools", "of different names", twice)
  if (concurrency !== "unbounded") OptionCheck.attempts(owner, "concurrency", concurrency)
  if (ledger !== undefined && runId === undefined) {
    throw new RangeError(`${owner}: option "ledger" needs a "runId"`)
  }
  if (runId !== undefined && !isRunId(runId)) {
    throw OptionCheck.refuse(owner, "runId", `1 to ${longestRunId} characters, encoded for a URL`, runId)
  }
  return {
    request,
    call: options.call,
    tools,
    definitions: [...(request.tools ?? []), ...ours.map(({ definition }) => definition)],
    limits: limitsOf(owner, options.limits ?? {}),
    retry: options.retry,
    concurrency,
    runId,
    ledger
  }
}

const nameOfTool = (tool: object): ReadonlyArray<string> =>
  "name" in tool && typeof tool.name === "string" ? [tool.name] : []

const limitsOf = (owner: string, { pauses = 10, steps = 20, time, tokens }: Limits): CheckedLimits => ({
  steps: OptionCheck.attempts(owner, "limits.steps", steps),
  tokens: tokens === undefined ? Number.POSITIVE_INFINITY : OptionCheck.attempts(owner, "limits.tokens", tokens),
  time: time === undefined
    ? Duration.infinity
    : OptionCheck.duration(owner, "limits.time", time, { positive: true, infinite: true }),
  pauses: OptionCheck.number(owner, "limits.pauses", pauses, 0)
})

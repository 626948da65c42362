import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { ClaudeTest } from "../../ClaudeTest.ts"
import * as VirtualTime from "../../VirtualTime.ts"
import type { RecordedCall } from "../script/CallLog.ts"
import { outcomeName } from "../timeline/describeCall.ts"
import { linesOf, shorten } from "../timeline/Lines.ts"
import { begin, watchInto } from "../timeline/Recording.ts"
import { endOf } from "./ExitCheck.ts"

/** What a program did on a script: how it ended, and each call with its time. */
export interface Behavior<A, E> {
  /** How the script ended, which may have steps left. */
  readonly script: Exit.Exit<unknown>
  readonly exit: Exit.Exit<A, E>
  readonly calls: ReadonlyArray<RecordedCall>
  readonly lines: ReadonlyArray<string>
}

/** Runs a program over a layer, with a clock and random numbers of its own. */
export const observe = <A, E, E2>(
  program: Effect.Effect<A, E, ClaudeService | ClaudeTest>,
  layer: Layer.Layer<ClaudeService | ClaudeTest, E2>,
  seed: string | number
): Effect.Effect<Behavior<A, E>, E2> =>
  Effect.gen(function*() {
    // Layers are remembered within a build, and the two have the script in common.
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    const recording = yield* begin
    const exit = yield* Effect.exit(Effect.provide(watchInto(program, recording), context))
    const calls = yield* Context.get(context, ClaudeTest).calls
    const lines = linesOf(calls, recording.events, recording.startedAt)
    return { exit, calls, lines, script: yield* Effect.exit(Scope.close(scope, Exit.asVoid(exit))) }
  }).pipe(
    VirtualTime.run,
    Random.withSeed(seed),
    Effect.provide(TestClock.layer())
  )

/** A program that died in both pipelines has shown nothing: an assertion in it failed, or the script had too few steps. */
export const dieAgain = <A, E>({ exit }: Behavior<A, E>): Effect.Effect<void> => {
  const death = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason) : undefined
  return death === undefined ? Effect.void : Effect.die(death.defect)
}

const callFacts = (call: RecordedCall) => ({
  at: call.at,
  method: call.method,
  model: call.request.model,
  attempt: call.attempt,
  endedAt: call.endedAt,
  outcome: outcomeName(call.outcome),
  request: call.request
})

/** What has to be the same, as text that can be compared and is not shown. */
const fingerprint = <A, E>({ calls, exit }: Behavior<A, E>): string =>
  Formatter.format({ exit: Exit.isSuccess(exit) ? exit.value : endOf(exit), calls: calls.map(callFacts) })

const width = 100

const cut = (line: string): string => line.length <= width ? line : `${line.slice(0, width - 1)}…`

/** Two lists next to each other, with a mark where they differ. */
const sideBySide = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): string => {
  const column = Math.max(...left.map((line) => cut(line).length))
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => {
    const [one, other] = [cut(left[index] ?? ""), cut(right[index] ?? "")]
    return `${one.padEnd(column)} ${one === other ? "|" : "≠"} ${other}`.trimEnd()
  }).join("\n")
}

const mostLines = 40

/** Says how two runs differ, with both timelines; `undefined` if they do not. */
export const difference = <A, E>(left: Behavior<A, E>, right: Behavior<A, E>): string | undefined => {
  if (fingerprint(left) === fingerprint(right)) return undefined
  const ends = [endOf(left.exit), endOf(right.exit)] as const
  const what = ends[0] !== ends[1]
    ? `one ends with ${ends[0]} and the other with ${ends[1]}`
    : left.lines.join("\n") !== right.lines.join("\n")
    ? "their calls differ"
    : fingerprint({ ...left, exit: right.exit }) === fingerprint(right)
    ? "their results differ"
    : "their requests differ"
  const rows = [left, right].map(({ lines }) => ["", ...shorten(lines, mostLines)])
  const [first = [], second = []] = rows
  first[0] = "  first pipeline"
  second[0] = "  second pipeline"
  return `${what}\n\n${sideBySide(first, second)}`
}

import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as AnswerInfo from "@effect-claude/client/AnswerInfo"
import {
  type ClaudeError,
  ContextWindowExceededError,
  InvalidRequestError,
  OverloadedError,
  RefusalError
} from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as MessageEvents from "@effect-claude/client/MessageEvents"
import * as ClaudeTest from "@effect-claude/testing/ClaudeTest"
import * as Reply from "@effect-claude/testing/Reply"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { calls, request, using } from "./support.ts"

// What a model does when it is asked.
const behaviorOf = {
  answers: Effect.succeed(Reply.message("fine")),
  isOverloaded: Effect.fail(new OverloadedError({ message: "Overloaded" })),
  isAskedWrongly: Effect.fail(new InvalidRequestError({ message: "No" })),
  refuses: Effect.succeed(Reply.message("", { content: [], stop_reason: "refusal" })),
  failsToAnswer: Effect.fail(new RefusalError({ message: "No" })),
  overflows: Effect.succeed(Reply.message("", { content: [], stop_reason: "model_context_window_exceeded" })),
  doesNotFit: Effect.fail(new ContextWindowExceededError({ message: "Too long" }))
} satisfies Record<string, Effect.Effect<Message, ClaudeError>>
type Behavior = keyof typeof behaviorOf
const behaviors = Object.keys(behaviorOf) as ReadonlyArray<Behavior>

const tags: Readonly<Record<Exclude<Behavior, "answers">, string>> = {
  isOverloaded: "OverloadedError",
  isAskedWrongly: "InvalidRequestError",
  refuses: "RefusalError",
  failsToAnswer: "RefusalError",
  overflows: "OutputTruncatedError",
  doesNotFit: "ContextWindowExceededError"
}
const chainOf: Readonly<Partial<Record<Behavior, "refusal" | "contextOverflow">>> = {
  refuses: "refusal",
  failsToAnswer: "refusal",
  overflows: "contextOverflow",
  doesNotFit: "contextOverflow"
}

interface Scenario {
  readonly chains: {
    readonly main: ReadonlyArray<string>
    readonly refusal: ReadonlyArray<string>
    readonly contextOverflow: ReadonlyArray<string>
  }
  readonly behavior: Readonly<Record<string, Behavior>>
}

interface Ending {
  /** The model whose answer it is, or the tag of the failure. */
  readonly by: string
  readonly passedOver: ReadonlyArray<readonly [string, string]>
  readonly asked: ReadonlyArray<string>
}

/** The model: what the documentation says of the order in which targets are asked, and of what ends a call. */
const expected = ({ behavior, chains }: Scenario): Ending => {
  const asked: Array<string> = []
  const passed: Array<readonly [string, string]> = []
  const begun = new Set<string>(["main"])
  let chain: keyof Scenario["chains"] = "main"
  let rest = [...chains.main]
  let held: string | undefined
  let model: string | undefined = request.model
  for (;;) {
    asked.push(model)
    const did: Behavior = behavior[model] ?? "answers"
    const special = chainOf[did]
    const hasChain = special !== undefined && chains[special].length > 0
    const leadsOn = hasChain && (special === chain || !begun.has(special))
    const isAnswer = did === "answers" || ((did === "refuses" || did === "overflows") && !leadsOn)
    if (isAnswer) return { by: model, passedOver: passed, asked }
    passed.push([model, tags[did]])
    if (did === "refuses" || did === "overflows") held = model
    if (leadsOn && special !== chain) {
      chain = special
      begun.add(chain)
      rest = [...chains[chain]]
    }
    if (!leadsOn && did !== "isOverloaded") return { by: tags[did], passedOver: [], asked }
    do model = rest.shift()
    while (model !== undefined && asked.includes(model))
    if (model === undefined) {
      return held === undefined
        ? { by: tags[did], passedOver: [], asked }
        : { by: held, passedOver: passed.filter(([name]) => name !== held), asked }
    }
  }
}

const names = ["a", "b", "c", "d"]

const pick = <A>(from: ReadonlyArray<A>) =>
  Effect.map(Random.nextIntBetween(0, from.length), (index) => from[index] as A)

const scenario: Effect.Effect<Scenario> = Effect.gen(function*() {
  const chain = Effect.gen(function*() {
    const shuffled = yield* Random.shuffle([...names, request.model])
    return [...shuffled].slice(0, yield* Random.nextIntBetween(0, names.length))
  })
  const behavior: Record<string, Behavior> = {}
  for (const name of [...names, request.model]) behavior[name] = yield* pick(behaviors)
  // A first model that answers shows nothing.
  if (behavior[request.model] === "answers") behavior[request.model] = "isOverloaded"
  const chains = { main: yield* chain, refusal: yield* chain, contextOverflow: yield* chain }
  return {
    chains: Object.values(chains).every((models) => models.length === 0) ? { ...chains, main: ["a"] } : chains,
    behavior
  }
})

type Call = Effect.Effect<Message, ClaudeError, ClaudeService>

const createMessage: Call = Effect.flatMap(ClaudeService, (claude) => claude.createMessage(request))
const streamMessage: Call = Effect.flatMap(
  ClaudeService,
  (claude) => Effect.map(MessageEvents.message(claude.streamMessage(request)), (message) => message as Message)
)

const actual = ({ behavior, chains }: Scenario, call: Call): Effect.Effect<Ending> => {
  const { contextOverflow, main, refusal } = chains
  const layer = ClaudeTest.script([], {
    after: Reply.effect(({ model }) => behaviorOf[behavior[model] ?? "answers"])
  }).pipe(ClaudeLayer.withFallback({
    targets: main,
    ...(refusal.length === 0 ? undefined : { refusal: { targets: refusal } }),
    ...(contextOverflow.length === 0 ? undefined : { contextOverflow: { models: contextOverflow } })
  }))
  return using(
    Effect.gen(function*() {
      const result = yield* Effect.result(call)
      const asked = (yield* calls).map(({ request: { model } }) => model)
      if (Result.isFailure(result)) return { by: result.failure._tag, passedOver: [], asked }
      const { passedOver, source } = AnswerInfo.of(result.success)
      return {
        by: source._tag === "Model" ? source.model : source._tag === "Requested" ? request.model : source._tag,
        passedOver: passedOver.map(({ error, target }) => [target, error?._tag ?? "skipped"] as const),
        asked
      }
    }),
    layer
  )
}

const runs = 1000

describe("withFallback, against a model of it", () => {
  for (const [way, call] of [["messages", createMessage], ["streams", streamMessage]] as const) {
    const seed = process.env["FALLBACK_SEED"] ?? `${Date.now()}`
    it.effect(`${way}: ${runs} random chains of models with random failures, seed ${seed}`, () =>
      Effect.gen(function*() {
        for (let run = 0; run < runs; run++) {
          const given = yield* scenario
          assert.deepStrictEqual(yield* actual(given, call), expected(given), `seed ${seed}: ${JSON.stringify(given)}`)
        }
      }).pipe(Random.withSeed(seed)))
  }
})

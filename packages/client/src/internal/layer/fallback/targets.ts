import type { Message } from "@anthropic-ai/sdk/resources/messages/messages"
import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { ClaudeError, ClaudeErrorTag } from "../../../ClaudeError.ts"
import type { ClaudeService, MessageRequest } from "../../../ClaudeService.ts"
import type { ModelCapabilities } from "../../../ModelCapabilities.ts"

/**
 * What a request becomes for a target that sends it.
 *
 * **Details**
 *
 * - `adapt`: changes the request, and is called when the target's turn comes. What the model cannot do is looked for after it.
 * - `capabilities`: what the model can do, over what is known of it (`ModelCapabilities.of`). Unknown is no reason to skip it.
 * - `thinkingBlocks`: whether the thinking of earlier answers goes along. It is signed for the model and the account it came
 *   from, so `"drop"` by default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adaptation {
  readonly adapt?: ((request: MessageRequest) => MessageRequest) | undefined
  readonly capabilities?: ModelCapabilities | undefined
  readonly thinkingBlocks?: "drop" | "keep" | undefined
}

/**
 * Another model of the same service.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModelTarget extends Adaptation {
  readonly model: string
}

/**
 * Another service: another key, another cloud, with policies of its own. Its layer is built once, with the fallback's own;
 * what the layer needs, and how it can fail, is in the type of the result. Asked for the same model unless `model` is set.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceTarget<out E = never, out R = never> extends Adaptation {
  readonly name: string
  readonly layer: Layer.Layer<ClaudeService, E, R>
  readonly model?: string | undefined
}

/**
 * The last good answer to the same request, if `withCache` stands outside and has one.
 *
 * @category models
 * @since 0.1.0
 */
export interface CachedTarget {
  readonly cached: true
  readonly name?: string | undefined
}

/**
 * An answer of the program's own, a text or a whole message, from the request and the last error. The last of its chain.
 *
 * @category models
 * @since 0.1.0
 */
export interface StaticTarget {
  readonly answer: (request: MessageRequest, error: ClaudeError) => Message | string
  readonly name?: string | undefined
}

/**
 * Hands the request to something else: a queue, a person. What it answers with is the answer; if it fails, the next target
 * may be asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandOffTarget<out R = never> {
  readonly handOff: (request: MessageRequest, error: ClaudeError) => Effect.Effect<Message | string, ClaudeError, R>
  readonly name?: string | undefined
}

/**
 * Something that may answer in a model's place. A name is a {@link ModelTarget}.
 *
 * @category models
 * @since 0.1.0
 */
export type FallbackTarget<E = never, R = never> =
  | string
  | ModelTarget
  | ServiceTarget<E, R>
  | CachedTarget
  | StaticTarget
  | HandOffTarget<R>

/**
 * Targets in order: those of `models`, those of `targets`, then `answer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackChain<out E = never, out R = never> {
  readonly models?: ReadonlyArray<string | ModelTarget> | undefined
  readonly targets?: ReadonlyArray<FallbackTarget<E, R>> | undefined
  readonly answer?: StaticTarget["answer"] | undefined
}

/**
 * Options of `withFallback`, which describes them. At least one target is needed.
 *
 * @category models
 * @since 0.1.0
 */
export interface FallbackOptions<out E = never, out R = never> extends FallbackChain<E, R> {
  readonly shouldFallback?: ((error: ClaudeError) => boolean) | ReadonlyArray<ClaudeErrorTag> | undefined
  readonly refusal?: FallbackChain<E, R> | undefined
  readonly contextOverflow?: FallbackChain<E, R> | undefined
}

type TargetsOf<Chain> = Chain extends { readonly targets?: ReadonlyArray<infer Target> | undefined } ? Target : never

type AllTargets<Options> =
  | TargetsOf<Options>
  | (Options extends { readonly refusal?: infer Chain } ? TargetsOf<Chain> : never)
  | (Options extends { readonly contextOverflow?: infer Chain } ? TargetsOf<Chain> : never)

type LayerError<Target> = Target extends { readonly layer: Layer.Layer<ClaudeService, infer E, infer _R> } ? E : never

type TargetServices<Target> = Target extends { readonly layer: Layer.Layer<ClaudeService, infer _E, infer R> } ? R
  : Target extends { readonly handOff: (...args: never) => Effect.Effect<infer _A, infer _E, infer R> } ? R
  : never

/**
 * How the layers of a fallback's targets can fail to build.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type FallbackErrors<Options> = LayerError<AllTargets<Options>>

/**
 * What the targets of a fallback need.
 *
 * @category type extractors
 * @since 0.1.0
 */
export type FallbackServices<Options> = TargetServices<AllTargets<Options>>

const owner = "ClaudeLayer.withFallback"

/** What may lead away from a target: a failure like any other, or one of those that have chains of their own. */
export type ChainName = "main" | "refusal" | "contextOverflow"

/** A target whose form is known and whose layer is not built. */
export type CheckedTarget<E, R> =
  | {
    readonly _tag: "Sender"
    readonly name: string
    readonly model: string | undefined
    readonly layer: Layer.Layer<ClaudeService, E, R> | undefined
    readonly adaptation: Adaptation
  }
  | { readonly _tag: "Cached"; readonly name: string }
  | { readonly _tag: "Static"; readonly name: string; readonly answer: StaticTarget["answer"] }
  | { readonly _tag: "HandOff"; readonly name: string; readonly handOff: HandOffTarget<R>["handOff"] }

export type Chains<Target> =
  & { readonly main: ReadonlyArray<Target> }
  & { readonly [Name in ChainName]?: ReadonlyArray<Target> }

const formOf = <E, R>(target: FallbackTarget<E, R>): CheckedTarget<E, R> => {
  if (typeof target === "string") {
    return { _tag: "Sender", name: target, model: target, layer: undefined, adaptation: {} }
  }
  if ("layer" in target) {
    return { _tag: "Sender", name: target.name, model: target.model, layer: target.layer, adaptation: target }
  }
  if ("model" in target) {
    return { _tag: "Sender", name: target.model, model: target.model, layer: undefined, adaptation: target }
  }
  if ("cached" in target) return { _tag: "Cached", name: target.name ?? "cached answer" }
  if ("handOff" in target) return { _tag: "HandOff", name: target.name ?? "hand-off", handOff: target.handOff }
  return { _tag: "Static", name: target.name ?? "static answer", answer: target.answer }
}

const checkCapabilities = (option: string, { capabilities }: Adaptation): void => {
  for (const name of ["contextWindow", "maxOutputTokens", "maxOutputTokensUnstreamed"] as const) {
    const value = capabilities?.[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw OptionCheck.refuse(owner, `${option}.capabilities.${name}`, "a whole number of at least 1", value)
    }
  }
}

/** The targets of one chain, checked: names that tell them apart, and none that could never be reached. */
const checkChain = <E, R>(
  prefix: string,
  { answer, models, targets }: FallbackChain<E, R>
): ReadonlyArray<CheckedTarget<E, R>> => {
  const given: ReadonlyArray<{ readonly option: string; readonly target: FallbackTarget<E, R> }> = [
    ...(models ?? []).map((target) => ({ option: `${prefix}models`, target })),
    ...(targets ?? []).map((target) => ({ option: `${prefix}targets`, target })),
    ...(answer === undefined ? [] : [{ option: `${prefix}answer`, target: { answer } }])
  ]
  const seen = new Set<string>()
  return given.map(({ option, target }, index) => {
    const checked = formOf(target)
    const { _tag, name } = checked
    if (name === "" || (_tag === "Sender" && checked.model === "")) {
      throw new RangeError(`${owner}: option "${option}" holds an empty name`)
    }
    if (seen.has(name)) {
      throw new RangeError(`${owner}: option "${option}" names "${name}" twice; the second could never be reached`)
    }
    seen.add(name)
    if (_tag === "Sender") checkCapabilities(option, checked.adaptation)
    if (_tag === "Static" && index < given.length - 1) {
      throw new RangeError(
        `${owner}: option "${option}" holds the static answer "${name}" before others; they could never be reached`
      )
    }
    return checked
  })
}

/** The chains that the options name. Throws a `RangeError` for one that cannot work. */
export const checkTargets = <E, R>(options: FallbackOptions<E, R>): Chains<CheckedTarget<E, R>> => {
  const special = (name: "refusal" | "contextOverflow") => {
    const given = options[name]
    if (given === undefined) return undefined
    const chain = checkChain(`${name}.`, given)
    if (chain.length === 0) throw new RangeError(`${owner}: option "${name}" holds no target`)
    return { [name]: chain }
  }
  const main = checkChain("", options)
  const chains = { main, ...special("refusal"), ...special("contextOverflow") }
  if (main.length === 0 && Object.keys(chains).length === 1) {
    throw new RangeError(
      `${owner}: set at least one of "models", "answer", "targets", "refusal" and "contextOverflow": there is nothing to `
        + `fall back to`
    )
  }
  return chains
}

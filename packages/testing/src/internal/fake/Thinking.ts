import * as Predicate from "effect/Predicate"

interface Fields {
  readonly [field: string]: unknown
}

/** Whether the model thinks before it answers. `between_tools` is what some models have in the place of `disabled`. */
export const isThinkingOn = ({ thinking }: Fields): boolean =>
  Predicate.isObject(thinking) && (thinking["type"] === "enabled" || thinking["type"] === "adaptive")

/** Whether thinking is sent as a signature without its text. */
export const isThinkingOmitted = ({ thinking }: Fields): boolean =>
  Predicate.isObject(thinking) && thinking["display"] === "omitted"

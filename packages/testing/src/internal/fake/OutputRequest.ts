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

/** The schema of `output_config.format`. */
export const outputSchema = (fields: Fields): unknown => {
  const format = outputFormat(fields)
  return Predicate.isObject(format) && format["type"] === "json_schema" ? format["schema"] : undefined
}

export const outputFormat = ({ output_config: config }: Fields): unknown =>
  Predicate.isObject(config) ? config["format"] : undefined

export const toolsOf = ({ tools }: Fields): ReadonlyArray<Fields> =>
  Array.isArray(tools) ? tools.map((tool: unknown) => Predicate.isObject(tool) ? tool : {}) : []

/** The name of the tool that a request leaves no choice but to call, or that it must be one. */
export const forcedTool = ({ tool_choice: choice }: Fields): { readonly name: unknown } | "any" | undefined => {
  if (!Predicate.isObject(choice)) return undefined
  return choice["type"] === "any" ? "any" : choice["type"] === "tool" ? { name: choice["name"] } : undefined
}

import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type { Digest } from "./Digest.ts"

/**
 * What of a request may be stored as it is: an allow-list.
 *
 * - `name`: an identifier, such as a model or the type of a block
 * - `id`: what the API gave out
 * - `number`: a number
 * - `text`: nothing but `true`, `false` and `null`
 * - `Fields`: the names of these fields, and their values by rules of their own
 * - `List`: how many items there are, and each by the rule; of a text in its place, nothing
 */
type Shape = "name" | "id" | "number" | "text" | Fields | List

interface Fields {
  readonly fields: { readonly [name: string]: Shape }
}

interface List {
  readonly items: () => Shape
}

const list = (items: () => Shape): List => ({ items })

const cacheControl: Fields = { fields: { type: "name", ttl: "name" } }

const format: Fields = { fields: { type: "name", name: "name", schema: "text" } }

const block: Fields = {
  fields: {
    type: "name",
    text: "text",
    id: "id",
    tool_use_id: "id",
    name: "name",
    input: "text",
    content: list(() => block),
    source: {
      fields: {
        type: "name",
        media_type: "name",
        data: "text",
        url: "text",
        file_id: "id",
        content: list(() => block)
      }
    },
    cache_control: cacheControl,
    citations: "text",
    is_error: "text",
    thinking: "text",
    signature: "text",
    data: "text",
    title: "text",
    context: "text"
  }
}

const tool: Fields = {
  fields: {
    type: "name",
    name: "name",
    description: "text",
    input_schema: "text",
    max_uses: "number",
    cache_control: cacheControl,
    strict: "text"
  }
}

const message: Fields = {
  fields: {
    model: "name",
    max_tokens: "number",
    stream: "text",
    system: list(() => block),
    messages: list(() => ({ fields: { role: "name", content: list(() => block) } })),
    metadata: { fields: { user_id: "text" } },
    temperature: "number",
    top_p: "number",
    top_k: "number",
    stop_sequences: list(() => "text"),
    service_tier: "name",
    speed: "name",
    inference_geo: "name",
    thinking: { fields: { type: "name", budget_tokens: "number", display: "name" } },
    tools: list(() => tool),
    tool_choice: { fields: { type: "name", name: "name", disable_parallel_tool_use: "text" } },
    output_config: { fields: { effort: "name", format } },
    output_format: format,
    betas: list(() => "name"),
    cache_control: cacheControl,
    container: "text",
    context_management: "text",
    fallbacks: "text",
    mcp_servers: "text",
    thread: "text"
  }
}

const body: Fields = {
  fields: {
    ...message.fields,
    requests: list(() => ({ fields: { custom_id: "text", params: message } }))
  }
}

const identifiers: { readonly [shape: string]: RegExp } = {
  name: /^[A-Za-z0-9][\w.:/+-]{0,127}$/,
  id: /^(toolu|srvtoolu|mcptoolu|file)_\w{1,64}$/
}

/**
 * The shape of a request's body, with a digest in place of every text. Two bodies have the same shape only if they say the
 * same. What the API does not know yet is a digest too, its name included.
 *
 * `isSecret` tells of what must not be stored even where a name may be.
 */
export const requestShape = (value: unknown, digest: Digest, isSecret: (text: string) => boolean): Schema.Json => {
  const shaped = (value: unknown, shape: Shape): Schema.Json => {
    // Of two possibilities, a digest would not hide which one it is.
    if (value === null || typeof value === "boolean") return value
    if (typeof value === "string") {
      const isStored = typeof shape === "string" && identifiers[shape]?.test(value) === true && !isSecret(value)
      return isStored ? value : digest.text(value)
    }
    if (typeof value === "number" && shape === "number") return value
    if (Array.isArray(value) && typeof shape === "object" && "items" in shape) {
      return value.map((item) => shaped(item, shape.items()))
    }
    if (Predicate.isObject(value) && typeof shape === "object" && "fields" in shape) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) =>
          Object.hasOwn(shape.fields, name)
            ? [name, shaped(item, shape.fields[name] ?? "text")]
            : [digest.field(name), shaped(item, "text")]
        )
      )
    }
    return digest.value(value)
  }
  return shaped(value, body)
}

import type * as JsonSchema from "effect/JsonSchema"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { isJsonArray, isJsonObject, isSameJson, setKey } from "./jsonValue.ts"
import { isNode, resolve, type WireSchema } from "./wireSchema.ts"

type Node = JsonSchema.JsonSchema

const isOfType = (value: Schema.Json, type: unknown): boolean => {
  switch (type) {
    case "null":
      return value === null
    case "array":
      return Array.isArray(value)
    case "object":
      return isJsonObject(value)
    case "integer":
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

const members = (node: Node): ReadonlyArray<unknown> | undefined =>
  Array.isArray(node["enum"]) ? node["enum"] : Object.hasOwn(node, "const") ? [node["const"]] : undefined

const alternatives = (node: Node): ReadonlyArray<unknown> | undefined =>
  Array.isArray(node["anyOf"]) ? node["anyOf"] : Array.isArray(node["oneOf"]) ? node["oneOf"] : undefined

const properties = (node: Node): Readonly<Record<string, unknown>> =>
  isNode(node["properties"]) ? node["properties"] : {}

const mostSteps = 100_000

/**
 * A value with the letters of fixed texts as the schema has them, where they differ from exactly one in case only: the API
 * does not promise the case of what it constrains. Everything else stays, and is for decoding to judge.
 */
export const matchCase = ({ definitions, root }: WireSchema, value: Schema.Json): Schema.Json => {
  // A recursive schema whose alternatives look alike can be walked in as many ways as there are levels to the power of two.
  let steps = mostSteps

  /** Whether a value is of the form that a node describes, as far as alternatives are told apart by it. */
  const fits = (unresolved: unknown, value: Schema.Json): boolean => {
    if (--steps < 0) return false
    const node = isNode(unresolved) ? resolve(unresolved, definitions) : undefined
    if (node === undefined) return false
    if (Predicate.isString(node["type"]) && !isOfType(value, node["type"])) return false
    if (members(node)?.includes(value) === false) return false
    if (alternatives(node)?.some((alternative) => fits(alternative, value)) === false) return false
    if (isJsonArray(value)) return !isNode(node["items"]) || value.every((item) => fits(node["items"], item))
    if (!isJsonObject(value)) return true
    const required: ReadonlyArray<unknown> = Array.isArray(node["required"]) ? node["required"] : []
    return required.every((key) => Predicate.isString(key) && Object.hasOwn(value, key))
      && Object.entries(properties(node)).every(([key, child]) =>
        !Object.hasOwn(value, key) || fits(child, value[key] ?? null)
      )
  }

  const change = (unresolved: unknown, value: Schema.Json): Schema.Json => {
    if (--steps < 0) return value
    const node = isNode(unresolved) ? resolve(unresolved, definitions) : undefined
    if (node === undefined) return value
    const among = alternatives(node)
    if (among !== undefined) {
      if (fits(node, value)) return value
      const changed = among.map((alternative) => ({ alternative, value: change(alternative, value) }))
        .filter(({ alternative, value }) => fits(alternative, value))
      const [first] = changed
      return first !== undefined && changed.every((other) => isSameJson(other.value, first.value)) ? first.value : value
    }
    if (typeof value === "string") {
      const texts = members(node) ?? []
      if (texts.includes(value)) return value
      const lower = value.toLowerCase()
      const same = texts.filter(Predicate.isString).filter((text) => text.toLowerCase() === lower)
      return same.length === 1 ? same[0] ?? value : value
    }
    if (isJsonArray(value)) return isNode(node["items"]) ? value.map((item) => change(node["items"], item)) : value
    if (!isJsonObject(value)) return value
    const known = properties(node)
    const copy = {}
    for (const [key, item] of Object.entries(value)) {
      const child = Object.hasOwn(known, key) ? known[key] : node["additionalProperties"]
      setKey(copy, key, change(child, item))
    }
    return copy
  }

  const changed = change(root, value)
  return steps < 0 ? value : changed
}

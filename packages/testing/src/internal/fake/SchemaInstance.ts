import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { resolve, typesOf } from "./OutputSchemaRules.ts"

type JsonSchema = { readonly [keyword: string]: unknown }

/**
 * A JSON value that a schema takes, always the same one: the first of the values that an `enum` or `anyOf` allows, all
 * properties, one item. `null` for a schema without a finite instance.
 */
export const schemaInstance = (schema: unknown): Schema.Json => instanceOf(schema, schema, []) ?? null

/** `undefined` where only a reference that is being followed already would go on. */
const instanceOf = (schema: unknown, root: unknown, references: ReadonlyArray<string>): Schema.Json | undefined => {
  if (!Predicate.isObject(schema)) return "text"
  const { allOf, anyOf, oneOf } = schema
  const within = (sub: unknown) => instanceOf(sub, root, references)
  if (Predicate.isString(schema["$ref"])) {
    const reference = schema["$ref"]
    return references.includes(reference)
      ? undefined
      : instanceOf(resolve(reference, root), root, [...references, reference])
  }
  if (schema["const"] !== undefined) return schema["const"] as Schema.Json
  if (Array.isArray(schema["enum"])) return schema["enum"][0] as Schema.Json
  for (const choices of [anyOf, oneOf]) {
    if (Array.isArray(choices)) return choices.map(within).find((instance) => instance !== undefined)
  }
  if (Array.isArray(allOf)) return within(merged([schema, ...allOf.filter(Predicate.isObject)]))
  switch (typesOf(schema)[0] ?? impliedType(schema)) {
    case "object":
      return objectOf(schema, within)
    case "array":
      return arrayOf(schema, within)
    case "integer":
      return numberOf(schema, 1)
    case "number":
      return numberOf(schema, 0.5)
    case "boolean":
      return true
    case "null":
      return null
    default:
      return stringOf(schema)
  }
}

const impliedType = (schema: JsonSchema): string | undefined =>
  schema["properties"] !== undefined ? "object" : schema["items"] !== undefined ? "array" : undefined

const merged = (schemas: ReadonlyArray<JsonSchema>): JsonSchema => {
  const { allOf: _, ...rest } = Object.assign({}, ...schemas) as JsonSchema
  const properties = schemas.map((schema) => schema["properties"]).filter(Predicate.isObject)
  const required = schemas.flatMap(requiredOf)
  return {
    ...rest,
    ...(properties.length === 0 ? {} : { properties: Object.assign({}, ...properties) as JsonSchema }),
    ...(required.length === 0 ? {} : { required })
  }
}

const requiredOf = ({ required }: JsonSchema): ReadonlyArray<unknown> => Array.isArray(required) ? required : []

const objectOf = (
  schema: JsonSchema,
  within: (schema: unknown) => Schema.Json | undefined
): Schema.Json | undefined => {
  const properties = Predicate.isObject(schema["properties"]) ? schema["properties"] : {}
  const required = requiredOf(schema)
  const names = [...new Set([...Object.keys(properties), ...required.filter(Predicate.isString)])]
  const fields = names.map((name) => [name, within(properties[name])] as const)
  return fields.some(([name, value]) => value === undefined && required.includes(name))
    ? undefined
    : Object.fromEntries(fields.flatMap(([name, value]) => value === undefined ? [] : [[name, value]]))
}

// Of items and of characters: a schema that wants more gets an answer that it does not take.
const longest = 10_000

const arrayOf = (
  schema: JsonSchema,
  within: (schema: unknown) => Schema.Json | undefined
): Schema.Json | undefined => {
  const { items, prefixItems } = schema
  const first = Array.isArray(prefixItems) ? prefixItems.map(within) : []
  const least = Math.min(numeric(schema, "minItems") ?? 0, longest)
  const count = Math.min(Math.max(1, least, first.length), numeric(schema, "maxItems") ?? Infinity)
  const rest = items === false ? [] : Array.from({ length: Math.max(0, count - first.length) }, () => within(items))
  const all = [...first, ...rest].slice(0, count).filter((item) => item !== undefined)
  return all.length < Math.max(least, Math.min(first.length, count)) ? undefined : all
}

/** A number that most schemas take, or one within the limits. */
const numberOf = (schema: JsonSchema, usual: number): number => {
  const least = numeric(schema, "minimum") ?? numeric(schema, "exclusiveMinimum")
  const most = numeric(schema, "maximum") ?? numeric(schema, "exclusiveMaximum")
  const step = numeric(schema, "multipleOf") ?? 1
  const near = [least, most].flatMap((limit) => {
    const down = Math.floor((limit ?? 0) / step) * step
    return [limit ?? 0, down, down + step, down - step]
  })
  const between = ((least ?? 0) + (most ?? 0)) / 2
  return [usual, ...near, between].find((value) => isWithin(schema, usual, value)) ?? usual
}

const isWithin = (schema: JsonSchema, usual: number, value: number): boolean => {
  const step = numeric(schema, "multipleOf") ?? (usual === 1 ? 1 : undefined)
  return value >= (numeric(schema, "minimum") ?? -Infinity)
    && value <= (numeric(schema, "maximum") ?? Infinity)
    && value > (numeric(schema, "exclusiveMinimum") ?? -Infinity)
    && value < (numeric(schema, "exclusiveMaximum") ?? Infinity)
    && (step === undefined || Number.isInteger(value / step))
}

const numeric = (schema: JsonSchema, keyword: string): number | undefined => {
  const value = schema[keyword]
  return Predicate.isNumber(value) ? value : undefined
}

const byFormat: ReadonlyMap<string, string> = new Map([
  ["date", "2026-01-31"],
  ["date-time", "2026-01-31T12:00:00Z"],
  ["duration", "PT1H"],
  ["email", "someone@example.com"],
  ["hostname", "example.com"],
  ["ipv4", "192.0.2.1"],
  ["ipv6", "2001:db8::1"],
  ["time", "12:00:00Z"],
  ["uri", "https://example.com/"],
  ["uuid", "00000000-0000-4000-8000-000000000000"]
])

/** Texts for a `pattern`, the first that fits is taken. */
const samples = ["text", "Text", "TEXT", "a", "A", "1", "0.5", "42", "12345", "a1", "A1", "text-1", "#a1b2c3", "AB-123"]

const stringOf = (schema: JsonSchema): string => {
  const { format, pattern } = schema
  const formatted = Predicate.isString(format) ? byFormat.get(format) : undefined
  if (formatted !== undefined) return formatted
  const text = (Predicate.isString(pattern) ? matching(pattern) : undefined) ?? "text"
  const shortest = Math.min(numeric(schema, "minLength") ?? 0, longest)
  return text.padEnd(shortest, text === "" ? "x" : text.slice(-1)).slice(0, numeric(schema, "maxLength"))
}

const matching = (pattern: string): string | undefined => {
  try {
    const expression = new RegExp(pattern, "u")
    return [...samples, ...byFormat.values()].find((sample) => expression.test(sample))
  } catch {
    return undefined
  }
}

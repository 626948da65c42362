import * as Predicate from "effect/Predicate"

type JsonSchema = { readonly [keyword: string]: unknown }

/** Keywords that constrain nothing, and those that every schema may have. */
const everywhere = new Set([
  "$comment",
  "$defs",
  "$id",
  "$schema",
  "allOf",
  "anyOf",
  "const",
  "default",
  "definitions",
  "deprecated",
  "description",
  "enum",
  "examples",
  "readOnly",
  "title",
  "type",
  "writeOnly"
])

const byType: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["object", ["additionalProperties", "properties", "required"]],
  ["array", ["items", "minItems"]],
  ["string", ["format", "pattern"]],
  ["number", []],
  ["integer", []],
  ["boolean", []],
  ["null", []]
])

const formats = new Set([
  "date",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "time",
  "uri",
  "uuid"
])

/** What the API says of a schema that it cannot hold an answer to: it takes a part of JSON Schema only. */
export const outputSchemaMistake = (schema: unknown): string | undefined => mistakeIn(schema, schema, [])

const mistakeIn = (schema: unknown, root: unknown, references: ReadonlyArray<string>): string | undefined => {
  if (!Predicate.isObject(schema)) return "Expected a schema object"
  if (schema["$ref"] !== undefined) return referenceMistake(schema["$ref"], root, references)
  return keywordMistake(schema) ?? firstMistake(subschemas(schema), (sub) => mistakeIn(sub, root, references))
}

const referenceMistake = (
  reference: unknown,
  root: unknown,
  references: ReadonlyArray<string>
): string | undefined => {
  if (!Predicate.isString(reference) || !reference.startsWith("#")) return "External '$ref' is not supported"
  if (references.includes(reference)) return `Recursive schemas are not supported: '${reference}' refers to itself`
  const target = resolve(reference, root)
  return target === undefined
    ? `'$ref' not found: '${reference}'`
    : mistakeIn(target, root, [...references, reference])
}

const keywordMistake = (schema: JsonSchema): string | undefined => {
  const { allOf, anyOf, enum: values } = schema
  const types = typesOf(schema)
  const unknown = types.find((type) => !byType.has(type))
  if (unknown !== undefined) return `Type '${unknown}' is not supported`
  if (types.length === 0 && ["allOf", "anyOf", "const", "enum"].every((keyword) => schema[keyword] === undefined)) {
    return "A schema needs a 'type', an 'enum', a 'const', 'anyOf' or 'allOf'"
  }
  if (Array.isArray(values) && !values.every((value) => !Predicate.isObjectOrArray(value))) {
    return "Enum values other than strings, numbers, booleans and null are not supported"
  }
  if (Array.isArray(anyOf) && anyOf.length === 0) return "'anyOf' must not be empty"
  if (Array.isArray(allOf) && allOf.some((part) => Predicate.isObject(part) && part["$ref"] !== undefined)) {
    return "'allOf' with '$ref' is not supported"
  }
  return unsupportedKeywords(schema, types) ?? typeMistake(schema, types)
}

const unsupportedKeywords = (schema: JsonSchema, types: ReadonlyArray<string>): string | undefined => {
  const allowed = (keyword: string) =>
    everywhere.has(keyword) || types.some((type) => byType.get(type)?.includes(keyword))
  const unsupported = Object.keys(schema).filter((keyword) => !allowed(keyword)).sort()
  if (unsupported.length === 0) return undefined
  const subject = types[0] === undefined ? "" : `For '${types[0]}' type, `
  return unsupported.length === 1
    ? `${subject}property '${unsupported[0]}' is not supported`
    : `${subject}properties ${unsupported.join(", ")} are not supported`
}

const typeMistake = (schema: JsonSchema, types: ReadonlyArray<string>): string | undefined => {
  if (types.includes("object") && schema["additionalProperties"] !== false) {
    return "For 'object' type, 'additionalProperties' must be explicitly set to false"
  }
  const { format, minItems } = schema
  if (minItems !== undefined && minItems !== 0 && minItems !== 1) {
    return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
  }
  return format === undefined || (Predicate.isString(format) && formats.has(format))
    ? undefined
    : `For 'string' type, format ${JSON.stringify(format)} is not supported`
}

const subschemas = (schema: JsonSchema): ReadonlyArray<unknown> => [
  ...["properties", "$defs", "definitions"].flatMap((keyword) => {
    const members = schema[keyword]
    return Predicate.isObject(members) ? Object.values(members) : []
  }),
  ...["anyOf", "allOf"].flatMap((keyword): ReadonlyArray<unknown> => {
    const members = schema[keyword]
    return Array.isArray(members) ? members : []
  }),
  ...(schema["items"] === undefined ? [] : [schema["items"]])
]

const firstMistake = (
  schemas: ReadonlyArray<unknown>,
  mistake: (schema: unknown) => string | undefined
): string | undefined => {
  for (const schema of schemas) {
    const found = mistake(schema)
    if (found !== undefined) return found
  }
  return undefined
}

/** The types that a schema names. */
export const typesOf = ({ type }: JsonSchema): ReadonlyArray<string> =>
  Predicate.isString(type) ? [type] : Array.isArray(type) ? type.filter(Predicate.isString) : []

/** What a `$ref` within a schema stands for. */
export const resolve = (reference: string, root: unknown): unknown =>
  decoded(reference).slice(1).split("/").slice(1).reduce<unknown>((value, segment) => {
    const key = segment.replaceAll("~1", "/").replaceAll("~0", "~")
    return Predicate.isObjectOrArray(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
  }, root)

const decoded = (reference: string): string => {
  try {
    return decodeURIComponent(reference)
  } catch {
    return reference
  }
}

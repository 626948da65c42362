import * as Equal from "effect/Equal"
import type * as JsonSchema from "effect/JsonSchema"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

type Node = JsonSchema.JsonSchema

/** Why a schema cannot be sent as `output_config.format`, and where. */
export interface Unsupported {
  readonly path: string
  readonly reason: string
}

/** A schema as JSON Schema: what is sent, and what answers are compared with. */
export interface WireSchema {
  /** The key that the value stands under if it is no object by itself: the API wants an object at the root. */
  readonly wrapper: string | undefined
  /** For a tool, or for an instruction: any JSON Schema with an object at its root. */
  readonly full: Node & { readonly type: "object" }
  /** What `output_config.format` takes: a subset, without recursion. */
  readonly native: Node | undefined
  readonly unsupported: Unsupported | undefined
  /** The value itself, without the wrapper. */
  readonly root: Node
  readonly definitions: JsonSchema.Definitions
}

const wrapper = "value"

export const isNode = (value: unknown): value is Node => Predicate.isObject(value) && !Array.isArray(value)

const nodes = (value: unknown): ReadonlyArray<Node> => Array.isArray(value) ? value.filter(isNode) : []

const nameOf = (reference: string): string =>
  decodeURIComponent(reference.slice("#/$defs/".length)).replaceAll("~1", "/").replaceAll("~0", "~")

/** The definition that a node refers to, or the node itself. `undefined` for a reference that leads nowhere. */
export const resolve = (node: Node, definitions: JsonSchema.Definitions): Node | undefined => {
  let resolved: Node | undefined = node
  // As many steps as there are definitions, or it is a circle.
  for (let steps = Object.keys(definitions).length; steps >= 0 && resolved !== undefined; steps--) {
    const reference: unknown = resolved["$ref"]
    if (!Predicate.isString(reference)) return resolved
    const key = nameOf(reference)
    resolved = Object.hasOwn(definitions, key) ? definitions[key] : undefined
  }
  return undefined
}

const specialNumbers: ReadonlySet<unknown> = new Set(["NaN", "Infinity", "-Infinity"])

const isSpecialNumbers = (node: Node): boolean =>
  Array.isArray(node["enum"]) && node["enum"].length === 3 && node["enum"].every((value) => specialNumbers.has(value))

const map = (node: Node, change: (node: Node) => Node): Node => {
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === "properties" || key === "patternProperties" || key === "$defs") {
      copy[key] = isNode(value)
        ? Object.fromEntries(
          Object.entries(value).map(([name, child]) => [name, isNode(child) ? map(child, change) : child])
        )
        : value
    } else if (key === "anyOf" || key === "oneOf" || key === "allOf" || key === "prefixItems") {
      copy[key] = nodes(value).map((child) => map(child, change))
    } else if ((key === "items" || key === "additionalProperties" || key === "propertyNames") && isNode(value)) {
      copy[key] = map(value, change)
    } else {
      copy[key] = value
    }
  }
  return change(copy)
}

// Effect writes NaN and the infinities as strings; nobody wants them offered to a model as a way to say a number.
const withoutSpecialNumbers = (node: Node): Node => {
  const members = nodes(node["anyOf"])
  const kept = members.filter((member) => !isSpecialNumbers(member))
  if (kept.length === members.length) return node
  const { anyOf: _, ...rest } = node
  return kept.length === 1 ? { ...kept[0], ...rest } : { ...rest, anyOf: kept }
}

const formats: ReadonlySet<unknown> = new Set([
  "date-time",
  "time",
  "date",
  "duration",
  "email",
  "hostname",
  "uri",
  "ipv4",
  "ipv6",
  "uuid"
])

// What the API's page on structured outputs names as supported; `description` and the children are handled apart.
const kept: ReadonlySet<string> = new Set(["type", "title", "enum", "const", "required"])
const children: ReadonlySet<string> = new Set([
  "$ref",
  "anyOf",
  "oneOf",
  "allOf",
  "properties",
  "items",
  "additionalProperties",
  "description"
])
const unsayable: Readonly<Record<string, string>> = {
  not: "excludes values",
  patternProperties: "an object with arbitrary keys",
  propertyNames: "an object with arbitrary keys",
  prefixItems: "a tuple"
}

// Look-around, back references, word boundaries, lazy quantifiers, large ranges.
const unsupportedPattern = /\(\?[=!<]|\\[1-9bBkpP]|[*+?}]\?|\{\d{3,}|\{\d*,\d{3,}/

const isKept = (key: string, value: unknown): boolean => {
  switch (key) {
    case "format":
      return formats.has(value)
    case "pattern":
      return Predicate.isString(value) && !unsupportedPattern.test(value)
    case "minItems":
      return value === 0 || value === 1
    default:
      return kept.has(key)
  }
}

const isBoundOfSafeIntegers = (value: unknown): boolean =>
  value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER

const join = (texts: ReadonlyArray<unknown>): string | undefined => {
  const said = [...new Set(texts.filter(Predicate.isString))].filter((text) => text !== "")
  return said.length === 0 ? undefined : said.join("; ")
}

/** An array that begins like it goes on, which is how Effect writes one that is not empty, as an array of at least so many. */
const withoutEqualBeginning = (node: Node): Node => {
  const { prefixItems, ...rest } = node
  const first = nodes(prefixItems)
  const isEqual = first.length > 0 && first.every((item) => Equal.equals(item, node["items"]))
  return isEqual ? { ...rest, minItems: Math.max(first.length, Number(node["minItems"] ?? 0)) } : node
}

/** A node with the members of its `allOf`, which are checks of the same value, as keywords of its own. */
const flattened = (node: Node): Node => {
  const members = nodes(node["allOf"]).map(flattened)
  if (members.length === 0) return node
  const { allOf: _, ...rest } = node
  const merged = Object.assign({}, rest, ...members) as Node
  const description = join([node, ...members].map((part) => part["description"]))
  return description === undefined ? merged : { ...merged, description }
}

const mostOptional = 24
const mostUnions = 16

class Refused {
  readonly unsupported: Unsupported

  constructor(path: string, reason: string) {
    this.unsupported = { path: path === "" ? "the root" : path, reason }
  }
}

/** The schema in the keywords that the API compiles. What it cannot check is said in descriptions, and checked by decoding. */
const nativeSchema = (root: Node, definitions: JsonSchema.Definitions): Node => {
  let optional = 0
  let unions = 0

  const rewrite = (original: Node, path: string): Node => {
    const node = withoutEqualBeginning(flattened(original))
    if (Predicate.isString(node["$ref"])) return { $ref: node["$ref"] }
    const out: Record<string, unknown> = {}
    const said: Array<string> = []
    for (const [key, value] of Object.entries(node)) {
      const reason = Object.hasOwn(unsayable, key) ? unsayable[key] : undefined
      if (reason !== undefined) throw new Refused(path, reason)
      if (isKept(key, value)) out[key] = value
      else if (!children.has(key) && !isBoundOfSafeIntegers(value)) said.push(`${key}: ${JSON.stringify(value)}`)
    }
    const description = join([node["description"], said.length === 0 ? undefined : `{${said.join(", ")}}`])
    if (description !== undefined) out["description"] = description
    const members = [...nodes(node["anyOf"]), ...nodes(node["oneOf"])]
    if (members.length > 0) out["anyOf"] = members.map((member) => rewrite(member, path))
    if (node["type"] === "object") Object.assign(out, object(node, path))
    if (node["type"] === "array") {
      if (!isNode(node["items"])) throw new Refused(path, "an array of anything")
      out["items"] = rewrite(node["items"], `${path}[]`)
    }
    if (["type", "enum", "const", "anyOf"].every((key) => !Object.hasOwn(out, key))) {
      throw new Refused(path, "any value")
    }
    return out
  }

  const object = (node: Node, path: string): Node => {
    if (node["additionalProperties"] !== false) throw new Refused(path, "an object with arbitrary keys")
    const required = new Set<unknown>(Array.isArray(node["required"]) ? node["required"] : [])
    const properties: Record<string, unknown> = {}
    for (const [name, child] of Object.entries(isNode(node["properties"]) ? node["properties"] : {})) {
      const childPath = path === "" ? name : `${path}.${name}`
      const rewritten = rewrite(isNode(child) ? child : {}, childPath)
      if (!required.has(name) && ++optional > mostOptional) {
        throw new Refused(childPath, `more than ${mostOptional} optional properties`)
      }
      if (Object.hasOwn(rewritten, "anyOf") && ++unions > mostUnions) {
        throw new Refused(childPath, `more than ${mostUnions} properties of several types`)
      }
      properties[name] = rewritten
    }
    return { properties, additionalProperties: false }
  }

  const done = new Set<string>()
  const checkRecursion = (node: Node, path: string, open: ReadonlySet<string>): void => {
    map(node, (part) => {
      const reference = part["$ref"]
      if (!Predicate.isString(reference) || done.has(reference)) return part
      if (open.has(reference)) throw new Refused(path, "a recursive schema")
      const target = resolve(part, definitions)
      if (target === undefined) throw new Refused(path, "a reference that leads nowhere")
      checkRecursion(target, nameOf(reference), new Set([...open, reference]))
      done.add(reference)
      return part
    })
  }

  checkRecursion(root, "", new Set())
  const native = rewrite(root, "")
  const rewritten = Object.entries(definitions).map(([name, node]) => [name, rewrite(node, name)])
  return rewritten.length === 0 ? native : { ...native, $defs: Object.fromEntries(rewritten) }
}

/** The definitions that a node needs: the one that it was itself is not among them, unless it is recursive. */
const definitionsOf = (root: Node, definitions: JsonSchema.Definitions): JsonSchema.Definitions => {
  const needed = new Set<string>()
  const visit = (node: Node): void => {
    map(node, (part) => {
      const reference = part["$ref"]
      const name = Predicate.isString(reference) ? nameOf(reference) : undefined
      const definition = name !== undefined && Object.hasOwn(definitions, name) ? definitions[name] : undefined
      if (name === undefined || definition === undefined || needed.has(name)) return part
      needed.add(name)
      visit(definition)
      return part
    })
  }
  visit(root)
  return Object.fromEntries(Object.entries(definitions).filter(([name]) => needed.has(name)))
}

/**
 * What is sent of a schema. Throws what Effect throws of a schema that has no JSON Schema at all.
 */
export const wireSchema = (schema: Schema.Constraint): WireSchema => {
  const document = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error", generateDescriptions: true })
  const definitions = Object.fromEntries(
    Object.entries(document.definitions).map(([name, node]) => [name, map(node, withoutSpecialNumbers)])
  )
  const root = map(document.schema, withoutSpecialNumbers)
  const resolved = flattened(resolve(root, definitions) ?? {})
  const isObject = resolved["type"] === "object"
  const full: WireSchema["full"] = isObject
    ? { ...resolved, type: "object" }
    : { type: "object", properties: { [wrapper]: root }, required: [wrapper], additionalProperties: false }
  const used = definitionsOf(full, definitions)
  const shared = {
    wrapper: isObject ? undefined : wrapper,
    full: Object.keys(used).length === 0 ? full : { ...full, $defs: used },
    root,
    definitions
  }
  try {
    return { ...shared, native: nativeSchema(full, used), unsupported: undefined }
  } catch (refused) {
    if (refused instanceof Refused) return { ...shared, native: undefined, unsupported: refused.unsupported }
    throw refused
  }
}

/** The names of all properties, so that what a model made up can be told from what the program knows. */
export const propertyNames = ({ definitions, root }: WireSchema): ReadonlySet<string> => {
  const names = new Set<string>()
  for (const node of [root, ...Object.values(definitions)]) {
    map(node, (part) => {
      if (isNode(part["properties"])) { for (const name of Object.keys(part["properties"])) names.add(name) }
      return part
    })
  }
  return names
}

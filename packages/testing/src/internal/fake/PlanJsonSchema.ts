import type * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import { BatchPlan } from "./batch/BatchSchema.ts"
import { PlannedBlock } from "./ContentSchema.ts"
import { descriptions } from "./PlanDescriptions.ts"
import { Plan } from "./PlanSchema.ts"
import { OtherConsumersPlan, RateLimitPlan } from "./RateLimitSchema.ts"
import {
  ApiError,
  CapacityStep,
  DisconnectStep,
  ErrorStep,
  MessageStep,
  ResponseStep,
  Step,
  UnreachableStep
} from "./StepSchema.ts"

type Representation = SchemaRepresentation.Representation
type Described = { readonly [path: string]: string }

const definitions: Readonly<Record<keyof typeof descriptions, Schema.Top>> = {
  FaultPlan: Plan,
  Step,
  MessageStep,
  ErrorStep,
  ResponseStep,
  DisconnectStep,
  UnreachableStep,
  CapacityStep,
  ApiError,
  ContentBlock: PlannedBlock,
  RateLimits: RateLimitPlan,
  OtherConsumers: OtherConsumersPlan,
  Batches: BatchPlan
}

const names = new Map<SchemaAST.AST, string>(
  Object.entries(definitions).map(([name, schema]) => [Schema.toType(schema).ast, name])
)

/** A time as JSON has it. The forms that only TypeScript has, such as a `Duration`, are left out. */
const TimeInJson = Schema.Union([
  Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
  Schema.String.check(Schema.isPattern(/^\d+(\.\d+)?\s+(nano|micro|milli|second|minute|hour|day|week)s?$/u))
]).annotate({ description: "A time: milliseconds, or a number and a unit, such as \"2 seconds\"." })

/** The JSON schema of a fault plan, for editors and for programs in other languages. */
export const planJsonSchema = (): JsonSchema.JsonSchema => {
  const document = Schema.toRepresentation(Schema.toType(Plan), { referencePolicy: ({ ast }) => names.get(ast) })
  const { definitions, schema } = SchemaRepresentation.toJsonSchemaDocument({
    representation: document.representation,
    references: {
      Time: Schema.toRepresentation(TimeInJson).representation,
      ...Object.fromEntries(
        Object.entries(document.references).map((
          [name, definition]
        ) => [name, inJson(definition, describedIn(name), "")])
      )
    }
  }, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Fault plan of a fake Claude API",
    ...schema,
    $defs: Object.fromEntries(
      Object.entries(definitions).map(([name, definition]) => {
        const description = describedIn(name)[""]
        return [name, description === undefined ? definition : { description, ...definition }]
      })
    )
  }
}

const describedIn = (name: string): Described =>
  new Map<string, Described>(Object.entries(descriptions)).get(name) ?? {}

/**
 * The part of a representation that JSON can state: an optional field is there or not, a time is a number or text. `path`
 * is the place within the definition, by which fields have their descriptions.
 */
const inJson = (representation: Representation, described: Described, path: string): Representation => {
  switch (representation._tag) {
    case "Declaration":
      if (representation.representation?.id !== "effect/schema/Duration") return representation
      return representation.checks.length === 0
        ? { _tag: "Reference", $ref: "Time" }
        : { _tag: "Union", types: [{ _tag: "Reference", $ref: "Time" }], checks: representation.checks }
    case "Union": {
      const types = representation.types
        .filter(({ _tag }) => _tag !== "Undefined")
        .map((type) => inJson(type, described, path))
      const [only] = types
      return types.length === 1 && only !== undefined && representation.checks.length === 0
        ? only
        : { ...representation, types }
    }
    case "Arrays":
      return { ...representation, rest: representation.rest.map((type) => inJson(type, described, path)) }
    case "Objects":
      return {
        ...representation,
        propertySignatures: representation.propertySignatures.map((property) => {
          const field = path === "" ? String(property.name) : `${path}.${String(property.name)}`
          const type = inJson(property.type, described, field)
          const description = described[field]
          if (description === undefined) return { ...property, type }
          // Beside a reference, since what it refers to has a description of its own.
          return type._tag === "Reference"
            ? { ...property, type, annotations: { description } }
            : { ...property, type: { ...type, annotations: { ...type.annotations, description } } }
        }),
        indexSignatures: representation.indexSignatures.map((signature) => ({
          ...signature,
          type: inJson(signature.type, described, path)
        }))
      }
    default:
      return representation
  }
}

import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { Plan } from "./PlanSchema.ts"
import { Step } from "./StepSchema.ts"

const strict: SchemaAST.ParseOptions = { onExcessProperty: "error", errors: "all", reportInput: true }

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => {
    switch (issue._tag) {
      case "UnexpectedKey":
        return "Unknown field"
      case "MissingKey":
        return "Missing field"
      default:
        return SchemaIssue.defaultLeafHook(issue)
    }
  }
})

// One line a mistake: `steps[1].delay: Expected ...`.
const describe = (error: Schema.SchemaError): string =>
  issuesOf(error.issue).issues
    .map(({ message, path = [] }) => path.length === 0 ? message : `${pathText(path)}: ${message}`)
    .join("\n")

const pathText = (path: ReadonlyArray<unknown>): string =>
  path.reduce<string>((text, segment) => {
    if (typeof segment === "number") return `${text}[${segment}]`
    return text === "" ? String(segment) : `${text}.${String(segment)}`
  }, "")

/** Decodes and refuses unknown fields; the failure has a line for each mistake. */
export const decodeStrictly = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema, strict)
  return (input: unknown): Result.Result<S["Type"], string> => Result.mapError(decode(input), describe)
}

/** Reads a JSON value; the failure says what is wrong with the text. */
export const decodeJson = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => `Not JSON: ${cause instanceof Error ? cause.message : "it cannot be parsed"}`
  })

/** Decodes a plan; the failure has a line for each mistake. */
export const decodePlan = decodeStrictly(Plan)

/** Decodes a step; the failure has a line for each mistake. */
export const decodeStep = decodeStrictly(Step)

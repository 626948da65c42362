import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"

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

/**
 * Decodes what somebody wrote by hand or kept in a file: unknown fields are refused, and the failure has a line for each
 * mistake. `quoted` is whether a mistake shows the value; what may be confidential is better not shown.
 */
export const decodeStrictly = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  { quoted = true }: { readonly quoted?: boolean } = {}
) => {
  const decode = Schema.decodeUnknownResult(schema, { ...strict, reportInput: quoted })
  return (input: unknown): Result.Result<S["Type"], string> => Result.mapError(decode(input), describe)
}

import { posix } from "node:path"
import { parseSync } from "oxc-parser"

/**
 * @typedef {import("./Fences.mjs").Problem} Problem
 * @typedef {import("oxc-parser").Comment} Comment
 * @typedef {import("oxc-parser").Statement | import("oxc-parser").Directive} Statement
 * @typedef {{
 *   readonly name: string
 *   readonly start: number
 *   readonly kind: "function" | "value" | "type"
 *   readonly from?: { readonly path: string, readonly name: string } | undefined
 *   readonly doc?: string | undefined
 * }} Export
 */

/**
 * What a public module's documentation lacks. Every export has a doc comment with `@since` and `@category`, every
 * function an example, and every module at least one. A name that is exported from another file may be documented there,
 * where editors look for it.
 *
 * @param {string} file
 * @param {(file: string) => string} readText
 * @returns {ReadonlyArray<Problem>}
 */
export const undocumentedExports = (file, readText) => {
  const module = parseModule(file, readText(file))
  /** @type {Array<Problem>} */
  const problems = []
  /**
   * @param {number} start
   * @param {string} message
   */
  const report = (start, message) => problems.push({ file, line: lineOf(module, start), message })

  const exported = module.exported.map((each) => each.from === undefined ? each : resolveExport(file, each, readText))
  const namesWithExample = new Set(exported.filter(({ doc }) => hasExample(doc)).map(({ name }) => name))
  for (const { doc, kind, name, start } of firstOfOverloads(exported)) {
    if (doc === undefined) {
      report(start, `\`${name}\` is exported without a doc comment`)
      continue
    }
    if (!/@since \S/.test(doc)) report(start, `the doc comment of \`${name}\` has no @since`)
    if (!/@category \S/.test(doc)) report(start, `the doc comment of \`${name}\` has no @category`)
    if (kind === "function" && !namesWithExample.has(name)) {
      report(start, `the doc comment of the function \`${name}\` has no **Example**`)
    }
  }
  for (const { start, type } of module.statements) {
    if (type === "ExportAllDeclaration") report(start, "re-export by name, so that it shows what is public")
  }
  if (!module.docs.some(({ value }) => hasExample(value)) && namesWithExample.size === 0) {
    report(0, "the module has no **Example**")
  }
  return problems
}

/**
 * @typedef {{
 *   readonly text: string
 *   readonly docs: ReadonlyArray<Comment>
 *   readonly statements: ReadonlyArray<Statement>
 *   readonly exported: ReadonlyArray<Export>
 * }} Module
 */

/**
 * @param {string} file
 * @param {string} text
 * @returns {Module}
 */
const parseModule = (file, text) => {
  const { comments, program } = parseSync(file, text)
  const docs = comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
  const exported = program.body.flatMap(exportsOf).map((each) => ({ ...each, doc: docBefore(docs, text, each.start) }))
  return { text, docs, statements: program.body, exported }
}

/**
 * @param {Module} module
 * @param {number} start
 */
const lineOf = ({ text }, start) => text.slice(0, start).split("\n").length

/**
 * The export with the kind, and unless it has one of its own the doc comment, of what it stands for.
 *
 * @param {string} file
 * @param {Export} each
 * @param {(file: string) => string} readText
 * @returns {Export}
 */
const resolveExport = (file, each, readText) => {
  const { from } = each
  if (from === undefined || !from.path.startsWith(".")) return each
  const target = posix.join(posix.dirname(file), from.path)
  const candidates = parseModule(target, readText(target)).exported.filter(({ name }) => name === from.name)
  const declaration = candidates.find(({ doc }) => doc !== undefined) ?? candidates[0]
  if (declaration === undefined) return each
  const resolved = declaration.from === undefined ? declaration : resolveExport(target, declaration, readText)
  return { ...each, kind: each.kind === "type" ? "type" : resolved.kind, doc: each.doc ?? resolved.doc }
}

/** @param {string | undefined} doc */
const hasExample = (doc) => doc !== undefined && /\*\*Example\*\* \(.+\)/.test(doc)

/**
 * The doc comment that stands directly before a position.
 *
 * @param {ReadonlyArray<Comment>} docs
 * @param {string} text
 * @param {number} start
 */
const docBefore = (docs, text, start) => {
  const doc = docs.findLast(({ end }) => end <= start)
  return doc !== undefined && text.slice(doc.end, start).trim() === "" ? doc.value : undefined
}

/**
 * Overloads of one function share the comment of the first.
 *
 * @param {ReadonlyArray<Export>} exported
 */
const firstOfOverloads = (exported) =>
  exported.filter(({ kind, name }, index) =>
    kind !== "function" || exported.findIndex((other) => other.kind === "function" && other.name === name) === index
  )

/**
 * @param {Statement} statement
 * @returns {ReadonlyArray<Export>}
 */
const exportsOf = (statement) => {
  const { start } = statement
  if (statement.type !== "ExportNamedDeclaration") return []
  const { declaration } = statement
  if (declaration === null) {
    return statement.specifiers.map((specifier, index) => ({
      name: nameOf(specifier.exported),
      // A comment may stand inside the braces, or before the statement when it exports one name.
      start: index === 0 && statement.specifiers.length === 1 ? start : specifier.start,
      kind: statement.exportKind === "type" || specifier.exportKind === "type" ? "type" : "value",
      from: statement.source === null ? undefined : { path: statement.source.value, name: nameOf(specifier.local) }
    }))
  }
  switch (declaration.type) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return [{ name: declaration.id?.name ?? "default", start, kind: "function" }]
    case "ClassDeclaration":
      return [{ name: declaration.id?.name ?? "default", start, kind: "value" }]
    case "VariableDeclaration":
      return declaration.declarations.map(({ id, init }) => ({
        name: id.type === "Identifier" ? id.name : "a destructured name",
        start,
        kind: isFunction(id, init) ? "function" : "value"
      }))
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return [{ name: declaration.id.name, start, kind: "type" }]
    case "TSModuleDeclaration":
      return []
    default:
      return [{ name: declaration.type, start, kind: "value" }]
  }
}

/** @param {import("oxc-parser").ModuleExportName} name */
const nameOf = (name) => name.type === "Literal" ? name.value : name.name

/** Calls that return the function they are given, or a data-first and data-last form of it. */
const functionConstructors = /^(Function\.)?dual$|^Effect\.fn(Untraced)?$/

/**
 * @param {import("oxc-parser").BindingPattern} id
 * @param {import("oxc-parser").Expression | null} init
 */
const isFunction = (id, init) => {
  const type = id.typeAnnotation?.typeAnnotation
  if (type?.type === "TSFunctionType") return true
  if (type?.type === "TSTypeLiteral") return type.members.some((member) => member.type === "TSCallSignatureDeclaration")
  if (init === null) return false
  if (init.type === "ArrowFunctionExpression" || init.type === "FunctionExpression") return true
  if (init.type !== "CallExpression") return false
  const callee = init.callee.type === "CallExpression" ? init.callee.callee : init.callee
  return functionConstructors.test(dottedName(callee))
}

/**
 * @param {import("oxc-parser").Expression} expression
 * @returns {string}
 */
const dottedName = (expression) => {
  if (expression.type === "Identifier") return expression.name
  if (expression.type !== "MemberExpression" || expression.property.type !== "Identifier") return ""
  return `${dottedName(expression.object)}.${expression.property.name}`
}

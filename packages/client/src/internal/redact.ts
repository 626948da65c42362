import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { withoutEchoes } from "./echoes.ts"
import { causeChain, codeOf, isErrorLike, messageOf, nameOf } from "./foreignError.ts"
import { requestTexts } from "./requestTexts.ts"

/** What must not be repeated in an error: secrets of the client, and the text of the request. */
export interface Confidential {
  readonly secrets?: ReadonlyArray<string> | undefined
  readonly request?: unknown
}

const longestMessage = 1000

// Searched before it is cut, so that the cut cannot go through the middle of a secret and leave one half of it.
const longestSearched = 4 * longestMessage

// Shorter ones are placeholders ("test", "none"); cutting them out would only garble the message.
const shortestSecret = 6

// What names a secret, what stands between the two (also in JSON, and in JSON within JSON), and the secret.
const named =
  /\b((?:proxy-)?authorization|(?:x-)?api[-_]key|(?:set-)?cookie|[\w-]{0,40}(?:token|secret|password))([\\"']*\s*[:=]\s*[\\"']*|["']\s*,\s*["'])(?:(?:Bearer|Basic) )?[^\s\\"',;&<>]{6,}/gi

const patterns: ReadonlyArray<readonly [RegExp, string]> = [
  [/(Headers\.\w+: )"[\s\S]*/g, "$1<redacted> is an invalid header value"],
  [/sk-ant-[\w-]+/g, "<redacted>"],
  [/\b(Bearer|Basic)\s+(?!token\b|auth|credential)[\w.~+/=-]{4,}/gi, "$1 <redacted>"],
  [named, "$1$2<redacted>"],
  [/\/\/[^\s/?#]*@/g, "//<redacted>@"]
]

const withoutSecrets = (text: string, secrets: ReadonlyArray<string>): string => {
  let clean = text
  for (const secret of secrets) clean = clean.replaceAll(secret, "<redacted>")
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement)
  return clean
}

const shortened = (text: string): string =>
  (text.length > longestMessage ? `${text.slice(0, longestMessage)}...` : text).toWellFormed()

/** Texts from outside, fit to be shown: no secret, no prompt, not longer than a message should be. */
const redactAll = (texts: ReadonlyArray<string>, confidential: Confidential): ReadonlyArray<string> => {
  const secrets = (confidential.secrets ?? []).filter((secret) => secret.length >= shortestSecret)
  const searched = texts.map((text) => withoutSecrets(text.slice(0, longestSearched), secrets))
  const withoutKeys = withoutEchoes(searched, secrets, "<redacted>")
  return withoutEchoes(withoutKeys, requestTexts(confidential.request), "<prompt>").map(shortened)
}

/** The same for one text. */
export const redact = (text: string, confidential: Confidential): string => redactAll([text], confidential)[0] ?? ""

const deepestJson = 8
const mostTexts = 200

const collectTexts = (value: unknown, texts: Set<string>, depth: number): void => {
  if (typeof value === "string") texts.add(value)
  if (!Predicate.isObjectOrArray(value) || depth > deepestJson) return
  for (const [key, item] of Object.entries(value)) {
    if (!Array.isArray(value)) texts.add(key)
    collectTexts(item, texts, depth + 1)
  }
}

/**
 * The same for JSON from outside: every text in it, keys too. What is no JSON (a number that is not finite, say) or lies
 * deeper than any details of the API is `null`; details of an absurd size are left out.
 */
export const redactJson = (value: unknown, confidential: Confidential): Schema.Json => {
  const texts = new Set<string>()
  collectTexts(value, texts, 0)
  if (texts.size > mostTexts) return null
  const clean = redactAll([...texts], confidential)
  const replacements = new Map([...texts].map((text, index) => [text, clean[index] ?? ""]))
  const shown = (text: string): string => replacements.get(text) ?? ""

  const copy = (value: unknown, depth: number): Schema.Json => {
    if (typeof value === "string") return shown(value)
    if (typeof value === "boolean") return value
    if (typeof value === "number") return Number.isFinite(value) ? value : null
    if (!Predicate.isObjectOrArray(value) || depth > deepestJson) return null
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [shown(key), copy(item, depth + 1)]))
  }
  return copy(value, 0)
}

const deepestCause = 4

/**
 * A copy of an error with clean messages all the way down its causes, and nothing else of it but name and code: errors of
 * HTTP clients carry requests, headers and buffers.
 */
export const redactCause = (error: unknown, confidential: Confidential): Error | undefined => {
  const links = causeChain(error).slice(0, deepestCause).filter(isErrorLike)
  const messages = redactAll(links.map(messageOf), confidential)
  return links.reduceRight<Error | undefined>((cause, link, index) => {
    const copy = new Error(messages[index] ?? "", cause === undefined ? undefined : { cause })
    const name = nameOf(link)
    if (name !== undefined && name !== copy.name && /^\w{1,64}$/.test(name)) copy.name = name
    // The stack of the original begins with its message; one of our own would point here.
    copy.stack = `${copy.name}: ${copy.message}`
    const code = codeOf(link)
    return code === undefined ? copy : Object.assign(copy, { code })
  }, undefined)
}

const requestHeaders: ReadonlySet<string> = new Set([
  "accept",
  "anthropic-beta",
  "anthropic-version",
  "content-type",
  "x-stainless-retry-count"
])

const responseHeaders: ReadonlySet<string> = new Set([
  "cache-control",
  "content-type",
  "date",
  "request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry"
])

const limits = /^anthropic-(ratelimit|priority|fast)-[a-z0-9-]+$/
const identities: ReadonlySet<string> = new Set(["anthropic-organization-id", "anthropic-workspace-id"])

/** What of the headers is stored besides the list. */
export interface HeaderRules {
  readonly extra: ReadonlySet<string>
  readonly identities: "redact" | "keep"
  readonly clean: (text: string) => string
}

/** A boundary is another one each time, and says nothing. */
const mediaType = (name: string, value: string): string =>
  name === "content-type" && /^multipart\//i.test(value) ? value.replace(/;.*$/s, "") : value

export const storedRequestHeaders = (headers: Headers, { clean, extra }: HeaderRules): Record<string, string> =>
  Object.fromEntries(
    [...headers]
      .filter(([name]) => requestHeaders.has(name) || extra.has(name))
      .map(([name, value]) => [name, clean(mediaType(name, value))])
  )

/**
 * The headers of a response that are stored. The length is one of them only while it is that of the body: a body that was
 * compressed on its way is stored as it was read.
 */
export const storedResponseHeaders = (headers: Headers, rules: HeaderRules): Record<string, string> =>
  Object.fromEntries(
    [...headers].flatMap(([name, value]): ReadonlyArray<readonly [string, string]> => {
      if (identities.has(name)) return [[name, rules.identities === "keep" ? value : "<redacted>"]]
      const isLength = name === "content-length" && !headers.has("content-encoding")
      const isStored = isLength || responseHeaders.has(name) || limits.test(name) || rules.extra.has(name)
      return isStored ? [[name, rules.clean(value)]] : []
    })
  )

const resetName = /^anthropic-(ratelimit|priority|fast)-[a-z0-9-]*reset$/
const dated = /^\d{4}-\d{2}-\d{2}[Tt ]/
const epochSeconds = /^\d{9,11}$/

const sameForm = (text: string, time: number): string =>
  text.includes(".") ? new Date(time).toISOString() : `${new Date(time).toISOString().slice(0, 19)}Z`

const shiftedReset = (text: string, by: number): string => {
  if (epochSeconds.test(text)) return String(Math.max(0, Math.round(Number(text) + by / 1000)))
  const time = dated.test(text) ? Date.parse(text) + by : Number.NaN
  return Number.isNaN(new Date(time).getTime()) ? text : sameForm(text, time)
}

const shiftedDate = (text: string, by: number): string => {
  const time = /^[A-Z][a-z]{2},? /.test(text) ? new Date(Date.parse(text) + by) : undefined
  return time === undefined || Number.isNaN(time.getTime()) ? text : time.toUTCString()
}

/** Headers of the past for a reader of today: every point in time of them, moved by some milliseconds. */
export const shiftedHeaders = (headers: Readonly<Record<string, string>>, by: number): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (resetName.test(name)) return [name, shiftedReset(value, by)]
      return [name, name === "date" || name === "retry-after" ? shiftedDate(value, by) : value]
    })
  )

import type * as Schema from "effect/Schema"
import type { Content } from "./RecordingSchema.ts"

const base64Lines = (bytes: Uint8Array): ReadonlyArray<string> =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64").match(/.{1,76}/g) ?? []

/** The text that the bytes are, and what is left of a character that was cut off; `undefined` where they are no UTF-8. */
export const textOf = (bytes: Uint8Array): { readonly text: string; readonly rest: Uint8Array } | undefined => {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true })
    return { text, rest: bytes.subarray(Buffer.byteLength(text)) }
  } catch {
    return undefined
  }
}

/** JSON that is written the way it is read. A `__proto__` would get lost on the way. */
const exactJson = (text: string): Content | undefined => {
  if (!/^[[{]/.test(text) || text.includes("__proto__")) return undefined
  try {
    const json = JSON.parse(text) as Schema.Json
    return JSON.stringify(json) === text ? { kind: "json", json } : undefined
  } catch {
    return undefined
  }
}

/** Bytes in the form that is the easiest to read of those that lose nothing. */
export const contentOf = (bytes: Uint8Array): Content => {
  const read = textOf(bytes)
  if (read === undefined) return { kind: "base64", lines: base64Lines(bytes) }
  const { rest, text } = read
  const json = rest.length === 0 ? exactJson(text) : undefined
  if (json !== undefined) return json
  const [first = "", ...others] = text.split("\n")
  return {
    kind: "text",
    lines: [first, ...others],
    ...(rest.length === 0 ? undefined : { rest: Buffer.from(rest).toString("base64") })
  }
}

/** The bytes that `contentOf` was given. */
export const bytesOf = (content: Content): Uint8Array => {
  switch (content.kind) {
    case "json":
      return Buffer.from(JSON.stringify(content.json))
    case "text":
      return Buffer.concat([Buffer.from(content.lines.join("\n")), Buffer.from(content.rest ?? "", "base64")])
    case "base64":
      return Buffer.from(content.lines.join(""), "base64")
  }
}

export const sizeOf = (content: Content): number => bytesOf(content).byteLength

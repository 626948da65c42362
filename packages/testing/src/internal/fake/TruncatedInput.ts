import type * as Schema from "effect/Schema"

/**
 * The input of a tool call that was cut by `max_tokens`: in a stream the JSON as far as it came, in a JSON answer what
 * that can still be read as, an object with its last fields missing.
 */
export class TruncatedInput {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }

  toJSON(): Schema.Json {
    return readablePart(this.json)
  }
}

/** The value that the beginning of a JSON text stands for, without what is not complete at its end. */
const readablePart = (json: string): Schema.Json => {
  for (let length = json.length; length > 0; length--) {
    const value = closed(json.slice(0, length))
    if (value !== undefined) return value
  }
  return {}
}

const closed = (beginning: string): Schema.Json | undefined => {
  const closers: Array<string> = []
  let inString = false
  for (let index = 0; index < beginning.length; index++) {
    const character = beginning[index]
    if (inString) {
      if (character === "\\") index++
      else if (character === "\"") inString = false
    } else if (character === "\"") inString = true
    else if (character === "{") closers.unshift("}")
    else if (character === "[") closers.unshift("]")
    else if (character === "}" || character === "]") closers.shift()
  }
  // More digits may follow a number at the end; whatever stands before a comma is complete.
  if (inString || /(^|[[,:])-?\d[\d.eE+-]*$/.test(beginning)) return undefined
  try {
    return JSON.parse(beginning.replace(/,$/, "") + closers.join("")) as Schema.Json
  } catch {
    return undefined
  }
}

import type * as Schema from "effect/Schema"
import { deepestJson, escapes, exactNumber, literals, setKey } from "./jsonValue.ts"

/** A container that is not closed yet. Snapshots hold copies of it; once it is closed, it does not change any more. */
type Open =
  | { readonly kind: "array"; readonly value: Array<Schema.Json>; size: number }
  | { readonly kind: "object"; readonly value: Record<string, Schema.Json>; size: number; key: string }

/** What may come next within the open containers. */
type Expected = "value" | "firstOrEnd" | "key" | "colon" | "commaOrEnd"

const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const space = /[\s\uFEFF]/
const opening = /^[\s\uFEFF]*(?:`{1,2}|`{3,}[\w+.-]*\s*)?$/
const longestOpening = 100

// What may be copied for each character that is read, with the items of arrays as the unit. So the whole work stays in
// proportion to the text, and only a wide container is shown less often than it grows.
const copiesPerCharacter = 16
const costOfKey = 8

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/**
 * Reads JSON while it is written. What it shows only grows: objects gain keys, arrays items, strings characters; numbers
 * and literals are there once they are whole. What is no JSON, or has a second reading, ends the show: `snapshot` stays
 * what it was.
 */
export class PartialJson {
  private readonly open: Array<Open> = []
  private expected: Expected = "value"
  private token: "none" | "string" | "bare" = "none"
  private text = ""
  private lastCode = 0
  private width = 0
  private credit = 0
  private escape: string | undefined
  private isKey = false
  private before = ""
  private state: "before" | "within" | "done" | "broken" = "before"
  private shown: Schema.Json | undefined
  private isShown = true

  /** The value as far as it goes, `undefined` before there is one. */
  get snapshot(): Schema.Json | undefined {
    return this.shown
  }

  /** Reads on. Says whether the snapshot is another one now. */
  add(chunk: string): boolean {
    const earlier = this.shown
    for (const character of chunk.split("")) {
      if (this.state === "done" || this.state === "broken") break
      this.read(character)
    }
    this.credit += chunk.length * copiesPerCharacter
    if (!this.isShown && this.state === "within" && this.width + this.open.length <= this.credit) this.show()
    return this.shown !== earlier
  }

  private read(character: string): void {
    if (this.state === "before") {
      if (character === "{" || character === "[") this.state = "within"
      else {
        this.before += character
        if (this.before.length > longestOpening || !opening.test(this.before)) this.fail()
        return
      }
    }
    if (this.token === "string") this.readString(character)
    else if (this.token === "bare" && !/[\s,\]}]/.test(character)) this.text += character
    else {
      if (this.token === "bare") this.endBare()
      if (this.state === "within" && !space.test(character)) this.readStructure(character)
    }
  }

  private readString(character: string): void {
    if (this.escape !== undefined) {
      this.escape += character
      if (this.escape.length === 1 && character !== "u") {
        const meant = Object.hasOwn(escapes, character) ? escapes[character] : undefined
        if (meant === undefined) return this.fail()
        this.append(meant)
      } else if (this.escape.length === 5) {
        if (!/^u[0-9a-fA-F]{4}$/.test(this.escape)) return this.fail()
        this.append(String.fromCharCode(Number.parseInt(this.escape.slice(1), 16)))
      }
    } else if (character === "\\") this.escape = ""
    else if (character === "\"") this.endString()
    else this.append(character)
  }

  // The code is kept apart: asking a string that grows for its last character would copy it each time.
  private append(character: string): void {
    this.text += character
    this.lastCode = character.charCodeAt(0)
    this.escape = undefined
    this.isShown &&= this.isKey
  }

  private endString(): void {
    this.token = "none"
    if (!this.isKey) return this.put(this.text)
    const container = this.open.at(-1)
    if (container?.kind !== "object" || Object.hasOwn(container.value, this.text)) return this.fail()
    container.key = this.text
    this.expected = "colon"
  }

  private endBare(): void {
    const { text } = this
    this.token = "none"
    if (Object.hasOwn(literals, text)) return this.put(literals[text] ?? null)
    const value = numberPattern.test(text) ? exactNumber(text) : undefined
    if (value === undefined) return this.fail()
    this.put(value)
  }

  private readStructure(character: string): void {
    const container = this.open.at(-1)
    const closes = container?.kind === "object" ? "}" : "]"
    const mayEnd = this.expected === "firstOrEnd" || this.expected === "commaOrEnd"
      || (this.expected === "key" || (this.expected === "value" && container?.kind === "array"))
    if (container !== undefined && character === closes && mayEnd) return this.close()
    switch (this.expected) {
      case "colon":
        if (character !== ":") return this.fail()
        this.expected = "value"
        return
      case "commaOrEnd":
        if (character !== ",") return this.fail()
        this.expected = container?.kind === "object" ? "key" : "value"
        return
      case "key":
        return this.begin(character, true)
      case "firstOrEnd":
        return this.begin(character, container?.kind === "object")
      case "value":
        return this.begin(character, false)
    }
  }

  private begin(character: string, isKey: boolean): void {
    this.text = ""
    this.lastCode = 0
    this.isKey = isKey
    if (character === "\"") {
      this.token = "string"
      this.isShown &&= isKey
    } else if (isKey) this.fail()
    else if (character === "{" || character === "[") {
      if (this.open.length >= deepestJson) return this.fail()
      this.open.push(
        character === "{" ? { kind: "object", value: {}, size: 0, key: "" } : { kind: "array", value: [], size: 0 }
      )
      this.expected = "firstOrEnd"
      this.isShown = false
    } else if (/[-\dtfn]/.test(character)) {
      this.token = "bare"
      this.text = character
    } else this.fail()
  }

  /** Adds a whole value to what is open. */
  private put(value: Schema.Json): void {
    const container = this.open.at(-1)
    if (container !== undefined) {
      add(container.value, container, value)
      const cost = container.kind === "object" ? costOfKey : 1
      container.size += cost
      this.width += cost
    }
    this.expected = "commaOrEnd"
    this.isShown = false
  }

  private close(): void {
    const closed = this.open.pop()
    if (closed === undefined) return this.fail()
    this.width -= closed.size
    if (this.open.length > 0) return this.put(closed.value)
    this.shown = closed.value
    this.isShown = true
    this.state = "done"
  }

  private show(): void {
    this.isShown = true
    this.credit = 0
    let inner: Schema.Json | undefined
    if (this.token === "string" && !this.isKey) {
      // Half of a character is shown with its other half.
      inner = isHighSurrogate(this.lastCode) ? this.text.slice(0, -1) : this.text
    }
    for (const container of this.open.toReversed()) {
      const copy = container.kind === "array" ? [...container.value] : { ...container.value }
      if (inner !== undefined) add(copy, container, inner)
      inner = copy
    }
    this.shown = inner
  }

  private fail(): void {
    this.state = "broken"
  }
}

const add = (target: Array<Schema.Json> | Record<string, Schema.Json>, container: Open, value: Schema.Json): void => {
  if (Array.isArray(target)) target.push(value)
  else if (container.kind === "object") setKey(target, container.key, value)
}

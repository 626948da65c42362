import * as Predicate from "effect/Predicate"

/** A line of a body, or a whole body that is one JSON text, and what was put in its place. */
export interface Replaced {
  readonly before: string
  readonly after: string
}

/** How the texts of an answer are changed before it is stored. */
export interface AnswerRules {
  /** For every text, names of fields included. */
  readonly clean: (text: string) => string
  /** For the text of a field. */
  readonly cleanField: (name: string, text: string) => string
  /** For the number of a field. */
  readonly cleanNumber: (name: string, value: number) => number
  /** For what the API says about a failure, which may repeat the request. */
  readonly failure: (text: string) => string
  /** Whether all of it is about a failure. */
  readonly failed: boolean
  /** For what the model said: texts, thoughts, inputs of tools. */
  readonly said: ((text: string) => string) | undefined
}

/** Fields of an answer that hold names, ids and times, and nothing that anybody said. */
const structural: ReadonlySet<string> = new Set([
  "type",
  "id",
  "role",
  "model",
  "stop_reason",
  "name",
  "tool_use_id",
  "tool_name",
  "server_name",
  "file_id",
  "request_id",
  "custom_id",
  "service_tier",
  "speed",
  "inference_geo",
  "processing_status",
  "results_url",
  "created_at",
  "ended_at",
  "expires_at",
  "archived_at",
  "cancel_initiated_at",
  "first_id",
  "last_id",
  "category",
  "error_code"
])

const isFailure = (value: object): boolean =>
  "type" in value && value.type === "error" && "error" in value && Predicate.isObject(value.error)

/** JSON with its texts changed; the value itself where nothing was. */
const changed = (value: unknown, rules: AnswerRules): unknown => {
  let isChanged = false
  const text = (text: string, by: (text: string) => string): string => {
    const after = by(text)
    if (after !== text) isChanged = true
    return after
  }
  const walk = (value: unknown, of: "answer" | "failure" | "input", name: string): unknown => {
    if (typeof value === "string") {
      const clean = text(value, (text) => rules.cleanField(name, text))
      if (of !== "input" && structural.has(name)) return clean
      if (of === "failure") return text(clean, rules.failure)
      return rules.said === undefined ? clean : text(clean, rules.said)
    }
    if (typeof value === "number" && value !== 0) {
      const isSaid = of === "input" && rules.said !== undefined
      const clean = isSaid ? 0 : rules.cleanNumber(name, value)
      if (clean !== value) isChanged = true
      return clean
    }
    if (Array.isArray(value)) return value.map((item) => walk(item, of, name))
    if (!Predicate.isObject(value)) return value
    const within = of === "answer" && isFailure(value) ? "failure" : of
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        text(key, rules.clean),
        walk(item, within === "answer" && key === "input" ? "input" : within, key)
      ])
    )
  }
  const after = walk(value, rules.failed ? "failure" : "answer", "")
  return isChanged ? after : value
}

const parse = (text: string): { readonly json: unknown } | undefined => {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const changedJson = (text: string, rules: AnswerRules): string | undefined => {
  const parsed = parse(text)
  if (parsed === undefined || !Predicate.isObjectOrArray(parsed.json)) return undefined
  const after = changed(parsed.json, rules)
  return after === parsed.json ? text : JSON.stringify(after)
}

/** The texts that come in pieces, an event each: where they are in a delta. */
const deltaFields = ["text", "thinking", "partial_json"] as const

interface Piece {
  readonly line: number
  readonly event: { readonly index?: unknown; readonly delta: Record<string, unknown> }
  readonly field: (typeof deltaFields)[number]
  readonly text: string
}

const dataOf = (line: string): string | undefined => /^data: ?(.*?)\r?$/s.exec(line)?.[1]

const pieceOf = (line: string, number: number): Piece | undefined => {
  const data = dataOf(line)
  const event = data?.includes("delta") === true ? parse(data)?.json : undefined
  if (!Predicate.hasProperty(event, "delta") || !Predicate.isObject(event.delta)) return undefined
  const delta = event.delta as Record<string, unknown>
  const field = deltaFields.find((name) => typeof delta[name] === "string")
  return field === undefined
    ? undefined
    : { line: number, event: event as Piece["event"], field, text: String(delta[field]) }
}

/** A text in as many pieces as there are sizes, each as long as before; the last has what is left. */
const inPieces = (text: string, sizes: ReadonlyArray<number>): ReadonlyArray<string> => {
  let from = 0
  return sizes.map((size, index) => {
    const piece = index === sizes.length - 1 ? text.slice(from) : text.slice(from, from + size)
    from += size
    return piece
  })
}

const changedInput = (text: string, rules: AnswerRules): string => {
  const whole = changedJson(`{"input":${text === "" ? "{}" : text}}`, rules)
  if (whole !== undefined) return whole.slice(`{"input":`.length, -1)
  const clean = rules.clean(text)
  return rules.said === undefined ? clean : rules.said(clean)
}

const changedWhole = (field: Piece["field"], text: string, rules: AnswerRules): string => {
  if (field === "partial_json") return changedInput(text, rules)
  const clean = rules.clean(text)
  return rules.said === undefined ? clean : rules.said(clean)
}

/** Texts of a stream are looked at as a whole: a key may begin in one event and end in another. */
const joinDeltas = (lines: Array<string>, rules: AnswerRules): ReadonlySet<number> => {
  const streams = new Map<string, Array<Piece>>()
  lines.forEach((line, number) => {
    const piece = pieceOf(line, number)
    if (piece === undefined) return
    const key = `${String(piece.event.index)} ${piece.field}`
    const pieces = streams.get(key)
    if (pieces === undefined) streams.set(key, [piece])
    else pieces.push(piece)
  })
  const done = new Set<number>()
  for (const pieces of streams.values()) {
    const [{ field } = { field: "text" as const }] = pieces
    const before = pieces.map(({ text }) => text).join("")
    const after = changedWhole(field, before, rules)
    const each = pieces.map(({ text }) => rules.clean(text))
    const texts = each.join("") === after ? each : inPieces(after, pieces.map(({ text }) => text.length))
    pieces.forEach(({ event, line }, index) => {
      done.add(line)
      const others = { ...event, delta: { ...event.delta, [field]: "" } }
      const stored = changed(others, rules) as Piece["event"]
      if (after === before && stored === others) return
      const whole = { ...stored, delta: { ...stored.delta, [field]: texts[index] ?? "" } }
      lines[line] = `data: ${JSON.stringify(whole)}${lines[line]?.endsWith("\r") === true ? "\r" : ""}`
    })
  }
  return done
}

const changedLine = (line: string, rules: AnswerRules): string => {
  const data = dataOf(line)
  if (data !== undefined) {
    const after = changedJson(data, rules) ?? changedPlain(data, rules)
    return after === data ? line : `data: ${after}${line.endsWith("\r") ? "\r" : ""}`
  }
  if (/^(event|id|retry): /.test(line)) return rules.clean(line)
  return changedJson(line, rules) ?? changedPlain(line, rules)
}

const changedPlain = (text: string, rules: AnswerRules): string => {
  const clean = rules.failed ? rules.failure(rules.clean(text)) : rules.clean(text)
  return rules.said === undefined ? clean : rules.said(clean)
}

/** The text of a body as it is stored, whole if it is JSON, else line by line. */
export const storedText = (text: string, rules: AnswerRules): ReadonlyArray<Replaced> => {
  const json = changedJson(text, rules)
  if (json !== undefined) return [{ before: text, after: json }]
  const before = text.split("\n")
  const after = [...before]
  const joined = joinDeltas(after, rules)
  return before.map((line, index) => {
    const last = index === before.length - 1
    const clean = joined.has(index) ? after[index] ?? "" : changedLine(line, rules)
    return { before: last ? line : `${line}\n`, after: last ? clean : `${clean}\n` }
  })
}

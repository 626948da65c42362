interface Framing {
  readonly lineEnd?: keyof typeof lineEnds | undefined
  readonly byteOrderMark?: boolean | undefined
}

const lineEnds = { lf: "\n", crlf: "\r\n", cr: "\r" }

/** How the events of a stream look on the wire: their lines end in one of three ways, and a mark may stand before the first. */
export class EventFrames {
  readonly #end: string
  /** What stands before the first event. */
  readonly mark: Uint8Array
  readonly ping: Uint8Array

  constructor({ byteOrderMark = false, lineEnd = "lf" }: Framing) {
    this.#end = lineEnds[lineEnd]
    this.mark = Buffer.from(byteOrderMark ? "\ufeff" : "")
    this.ping = this.event("ping", { type: "ping" })
  }

  /** Text stands as it is, so that a plan can send data that is no JSON. */
  event(name: string, data: unknown): Uint8Array {
    return this.#frame([`event: ${name}`, ...prefixed("data:", typeof data === "string" ? data : JSON.stringify(data))])
  }

  comment(text: string): Uint8Array {
    return this.#frame(prefixed(":", text))
  }

  #frame(lines: ReadonlyArray<string>): Uint8Array {
    return Buffer.from([...lines, ""].map((line) => line + this.#end).join(""))
  }
}

const prefixed = (prefix: string, text: string): ReadonlyArray<string> =>
  text.split("\n").map((line) => `${prefix} ${line}`)

/** A server-sent event: its name, `null` if it has none, and its data. */
export interface ServerSentEvent {
  readonly event: string | null
  readonly data: string
}

const byteOrderMark = 0xfeff
const space = 0x20

/**
 * Splits the bytes of a `text/event-stream` into its events, wherever the bytes are cut. Lines end with LF, CR or both; comments
 * and fields other than `event` and `data` are left out.
 */
export class SseDecoder {
  private readonly utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  /** The line that has not ended yet. */
  private line = ""
  /** Whether the last character was a CR, which ends a line, and an LF may belong to it. */
  private endsWithReturn = false
  private event: string | null = null
  private data: string | undefined

  /** The events that these bytes complete. */
  push(bytes: Uint8Array | string): ReadonlyArray<ServerSentEvent> {
    const text = typeof bytes === "string" ? bytes : this.utf8.decode(bytes, { stream: true })
    const out: Array<ServerSentEvent> = []
    const hasReturn = text.includes("\r")
    if (!this.endsWithReturn && !hasReturn) this.splitAtNewlines(text, out)
    else this.splitAtAny(text, out)
    return out
  }

  /** The events that are complete now that no more bytes come. One without the blank line behind it is none. */
  end(): ReadonlyArray<ServerSentEvent> {
    const out: Array<ServerSentEvent> = []
    this.splitAtAny(this.utf8.decode(), out)
    if (this.endsWithReturn || this.line !== "") this.take(this.line, out)
    return out
  }

  private splitAtNewlines(text: string, out: Array<ServerSentEvent>): void {
    let end = text.indexOf("\n")
    // Appending is cheap as long as nobody looks into what was appended to.
    if (end === -1) {
      this.line += text
      return
    }
    let start = 0
    if (this.line !== "") {
      this.take(this.line + text.slice(0, end), out)
      this.line = ""
      start = end + 1
      end = text.indexOf("\n", start)
    }
    for (; end !== -1; end = text.indexOf("\n", start)) {
      this.take(text.slice(start, end), out)
      start = end + 1
    }
    this.line = text.slice(start)
  }

  private splitAtAny(text: string, out: Array<ServerSentEvent>): void {
    let start = 0
    for (let position = 0; position < text.length; position++) {
      const character = text[position]
      if (this.endsWithReturn) {
        this.endsWithReturn = false
        this.take(this.line, out)
        this.line = ""
        start = character === "\n" ? position + 1 : position
        if (character === "\n") continue
      }
      if (character !== "\n" && character !== "\r") continue
      this.line += text.slice(start, position)
      start = position + 1
      if (character === "\r") {
        this.endsWithReturn = true
        continue
      }
      this.take(this.line, out)
      this.line = ""
    }
    if (!this.endsWithReturn) this.line += text.slice(start)
  }

  private take(line: string, out: Array<ServerSentEvent>): void {
    const text = line.charCodeAt(0) === byteOrderMark ? line.slice(1) : line
    if (text === "") {
      if ((this.event === null || this.event === "") && this.data === undefined) return
      out.push({ event: this.event, data: this.data ?? "" })
      this.event = null
      this.data = undefined
    } else if (text.startsWith("data:")) {
      const value = text.slice(text.charCodeAt(5) === space ? 6 : 5)
      this.data = this.data === undefined ? value : `${this.data}\n${value}`
    } else if (text.startsWith("event:")) {
      this.event = text.slice(text.charCodeAt(6) === space ? 7 : 6)
    } else if (text === "data") {
      this.data = this.data === undefined ? "" : `${this.data}\n`
    } else if (text === "event") {
      this.event = ""
    }
  }
}

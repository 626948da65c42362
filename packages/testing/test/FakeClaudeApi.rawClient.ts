import * as Effect from "effect/Effect"
import { connect } from "node:net"

export const request = { model: "claude-sonnet-5-5", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] }

export interface Post {
  readonly path?: string | undefined
  readonly method?: string | undefined
  readonly headers?: Record<string, string> | undefined
  /** A value sent as JSON, or text sent as it is. */
  readonly body?: unknown
}

const credentials = { "x-api-key": "sk-canary", "content-type": "application/json" }

const bodyText = (body: unknown): string => typeof body === "string" ? body : JSON.stringify(body)

/** An answer read with `fetch`: the chunks as they came, and the error that ended it, if one did. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly chunks: ReadonlyArray<Buffer>
  readonly text: string
  readonly failure: unknown
  /** Milliseconds from the request to the headers, and to each chunk. */
  readonly headersAfter: number
  readonly chunksAfter: ReadonlyArray<number>
}

export const post = (url: string, options: Post = {}): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const startedAt = performance.now()
    const { body = request, headers = credentials, method = "POST", path = "/v1/messages" } = options
    const response = await fetch(url + path, {
      method,
      headers,
      signal,
      ...(method === "GET" ? {} : { body: bodyText(body) })
    })
    const headersAfter = performance.now() - startedAt
    const chunks: Array<Buffer> = []
    const chunksAfter: Array<number> = []
    let failure: unknown
    const reader = response.body?.getReader()
    try {
      for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
        chunks.push(Buffer.from(next.value))
        chunksAfter.push(performance.now() - startedAt)
      }
    } catch (error) {
      failure = error
    }
    const text = Buffer.concat(chunks).toString("utf8")
    return { status: response.status, headers: response.headers, chunks, text, failure, headersAfter, chunksAfter }
  })

/** What came over a bare TCP connection, and whether it ended with a reset or an orderly close. */
export const exchangeOverTcp = (url: string, body: unknown = request) =>
  Effect.callback<{ readonly text: string; readonly ended: "reset" | "closed" }>((resume) => {
    const { hostname, port } = new URL(url)
    const content = bodyText(body)
    const socket = connect(Number(port), hostname)
    let text = ""
    socket.setEncoding("utf8")
    socket.on("data", (data: string) => {
      text += data
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      resume(error.code === "ECONNRESET" ? Effect.succeed({ text, ended: "reset" }) : Effect.die(error))
    })
    socket.on("end", () => resume(Effect.succeed({ text, ended: "closed" })))
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: ${hostname}\r\nx-api-key: k\r\n`
        + `content-length: ${Buffer.byteLength(content)}\r\n\r\n${content}`
    )
    return Effect.sync(() => socket.destroy())
  })

export interface SseEvent {
  readonly event: string
  readonly data: string
}

/** The events of a stream's text, comments left out. */
export const sseEvents = (text: string): ReadonlyArray<SseEvent> =>
  text.split("\n\n").flatMap((block) => {
    const field = (name: string) =>
      block.split("\n").filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2)).join(
        "\n"
      )
    return field("event") === "" ? [] : [{ event: field("event"), data: field("data") }]
  })

export const eventNames = (text: string): ReadonlyArray<string> => sseEvents(text).map(({ event }) => event)

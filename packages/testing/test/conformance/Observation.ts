import { createAnthropic } from "@ai-sdk/anthropic"
import Anthropic, { APIError } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import { isPing } from "@effect-claude/client/MessageEvents"
import { APICallError, generateText, StreamProviderError, streamText } from "ai"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Entry, Target } from "./Entry.ts"

/** What a client saw: the call in a few words, the headers of its error, and the ids of the request, in header and body. */
export interface Seen {
  readonly what: string
  readonly requestIds?: readonly [header: unknown, body: unknown]
  readonly headers: (name: string) => string | null
}

const noHeaders = () => null

/** The model by which the fake API knows which entry a request is for. */
export const modelOf = (entry: Entry): string => `fault: ${entry.name}`

export const requestOf = (entry: Entry) => ({
  model: modelOf(entry),
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }],
  ...entry.fields
})

/** How long a client that leaves stays after the last sign of life, and waits for the first. */
const patience = 120

/** An error and its causes, each by its code or else its name. */
const chain = (error: unknown): string => {
  const links: Array<string> = []
  for (let link = error; link instanceof Error && links.length < 5; link = link.cause) {
    links.push("code" in link && Predicate.isString(link.code) ? link.code : link.name)
  }
  return links.join(" < ")
}

/** Aborts a call some time after the last of its signs of life. */
class Patience {
  readonly #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined

  readonly #entry: Entry

  constructor(entry: Entry) {
    this.#entry = entry
    if (entry.leaves === "without headers") this.#start()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Counts from when all events are there that come before the fault. */
  seen(events: number): void {
    const { leaves, step } = this.#entry
    const stall = step.kind === "message" && step.interrupt?.how === "stall" ? step.interrupt : undefined
    const due = this.#entry.stream === true ? stall?.afterEvents ?? 0 : 0
    if (leaves === "in the body" && events >= due) this.#start()
  }

  done(): void {
    clearTimeout(this.#timer)
  }

  #start(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#controller.abort(), patience)
  }

  fetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
    return async (input, init) => {
      const response = await fetch(input, init)
      this.seen(0)
      return response
    }
  }
}

const sdkError = (error: unknown): string =>
  error instanceof APIError && error.headers !== undefined
    ? `${error.name} ${error.status ?? "-"} ${error.type ?? "-"} ${error.errorCode ?? "-"}`
    : chain(error)

/** The official SDK: its class with status, type and code, or what it resolves to. */
export const official = async (entry: Entry, target: Target): Promise<Seen> => {
  const patience = new Patience(entry)
  const client = new Anthropic({
    ...(entry.credentials === undefined
      ? { apiKey: "sk-test" }
      : { apiKey: null, credentials: entry.credentials(target) }),
    baseURL: target.url,
    fetch: patience.fetch(target.fetch),
    maxRetries: 0,
    logLevel: "off",
    ...(entry.leaves === "without headers" ? { timeout: 100 } : {})
  })
  const options = entry.leaves === "in the body" ? { signal: patience.signal } : {}
  let events = 0
  try {
    if (entry.stream !== true) {
      const message: unknown = await client.messages.create(requestOf(entry), options)
      const what = Predicate.hasProperty(message, "stop_reason")
        ? `message ${String(message.stop_reason)}`
        : typeof message
      return { what, headers: noHeaders }
    }
    const stream = await client.messages.create({ ...requestOf(entry), stream: true }, options)
    for await (const _ of stream) {
      events++
      patience.seen(events)
    }
    return { what: `${events} events, end`, headers: noHeaders }
  } catch (error) {
    return {
      what: `${entry.stream === true && events > 0 ? `${events} events, ` : ""}${sdkError(error)}`,
      headers: (name) => error instanceof APIError ? error.headers?.get(name) ?? null : null,
      ...(error instanceof APIError && Predicate.hasProperty(error.error, "request_id")
        ? { requestIds: [error.requestID, error.error.request_id] as const }
        : {})
    }
  } finally {
    patience.done()
  }
}

/** The stream helper of the official SDK: the error that its final message fails with. */
export const officialHelper = async (entry: Entry, target: Target): Promise<string> => {
  const { fetch, url } = target
  const client = new Anthropic({ apiKey: "sk-test", baseURL: url, fetch, maxRetries: 0, logLevel: "off" })
  try {
    await client.messages.stream(requestOf(entry)).finalMessage()
    return "whole"
  } catch (error) {
    return sdkError(error)
  }
}

const typeIn = (body: string | undefined): string => {
  try {
    const parsed: unknown = JSON.parse(body ?? "")
    const error = Predicate.hasProperty(parsed, "error") ? parsed.error : undefined
    return Predicate.hasProperty(error, "type") ? String(error.type) : "-"
  } catch {
    return "-"
  }
}

const aiError = (error: unknown): string =>
  APICallError.isInstance(error) && error.statusCode !== undefined
    ? `${error.name.replace("AI_", "")} ${error.statusCode} ${typeIn(error.responseBody)}`
    : StreamProviderError.isInstance(error)
    ? `StreamProviderError ${error.type ?? "-"}`
    : error instanceof Error
    ? error.name.replace("AI_", "")
    : String(error)

/** The AI SDK: its error with status and type, or how the answer finished. */
export const independent = async (entry: Entry, target: Target): Promise<Seen> => {
  const patience = new Patience(entry)
  const provider = createAnthropic({
    apiKey: "sk-test",
    baseURL: `${target.url}/v1`,
    fetch: patience.fetch(target.fetch)
  })
  const options = {
    model: provider(modelOf(entry)),
    prompt: "Hello",
    maxOutputTokens: 100,
    maxRetries: 0,
    ...(entry.leaves === undefined ? {} : { abortSignal: patience.signal })
  }
  let text = ""
  try {
    if (entry.stream !== true) {
      const { finishReason } = await generateText(options)
      return { what: finishReason, headers: noHeaders }
    }
    const result = streamText({ ...options, onError: () => undefined })
    for await (const part of result.fullStream) {
      if (part.type === "text-delta") {
        text += part.text
        // Two events come before the first piece of text.
        patience.seen(text.trim().split(" ").length + 2)
      }
      if (part.type === "error") throw part.error
      if (part.type === "abort") return { what: `"${text}" abort`, headers: noHeaders }
    }
    return { what: await result.finishReason, headers: noHeaders }
  } catch (error) {
    return {
      what: `${text === "" ? "" : `"${text}" `}${aiError(error)}`,
      headers: (name) => APICallError.isInstance(error) ? error.responseHeaders?.[name] ?? null : null
    }
  } finally {
    patience.done()
  }
}

const ownWait = (error: ClaudeError): string => {
  const millis = error.retryAfter === undefined ? undefined : Duration.toMillis(error.retryAfter)
  if (millis === undefined) return ""
  return millis > 3_500_000 && millis <= 3_601_000 ? " about an hour" : ` ${millis}`
}

/** This repository's client: tag, verdict and wait of the error, or how much was answered. */
export const own = (entry: Entry, target: Target): Effect.Effect<string> => {
  const client = AnthropicClient.layer({
    ...(entry.credentials === undefined ? { apiKey: Redacted.make("sk-test") } : {}),
    baseUrl: target.url,
    sdk: {
      fetch: target.fetch,
      logLevel: "off",
      ...(entry.credentials === undefined ? {} : { credentials: entry.credentials(target) })
    }
  })
  const layer = entry.leaves === undefined
    ? client
    : client.pipe(
      ClaudeLayer.withAttemptTimeout(
        entry.leaves === "without headers" ? { headers: patience } : { attempt: 3 * patience }
      )
    )
  return Effect.scoped(Effect.gen(function*() {
    const claude = Context.get(yield* Layer.build(layer), ClaudeService)
    const call = entry.stream === true
      ? Effect.map(
        Stream.runCollect(claude.streamMessage(requestOf(entry))),
        (events) => `${events.filter((event) => !isPing(event)).length} events`
      )
      : Effect.map(claude.createMessage(requestOf(entry)), ({ type }): string => type)
    const result = yield* Effect.result(call)
    if (Result.isSuccess(result)) return result.success
    const error = result.failure
    return `${error._tag} ${error.verdict._tag === "Stop" ? "stop" : error.verdict.kind}${ownWait(error)}`
  }))
}

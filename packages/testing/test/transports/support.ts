import Anthropic, { APIError } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import type { ClaudeError } from "@effect-claude/client/ClaudeError"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as FakeClaudeApi from "@effect-claude/testing/FakeClaudeApi"
import type * as FaultPlan from "@effect-claude/testing/FaultPlan"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

export const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Tell me of the Zürichsee" }]
}

/** A fake API on one of its transports, and the `fetch` that reaches it. */
export type Reached = FakeClaudeApi.InMemory

export const transports = {
  socket: (plan: FaultPlan.FaultPlanInput) =>
    Effect.map(FakeClaudeApi.make({ plan }), (api): Reached => ({ ...api, fetch: globalThis.fetch })),
  memory: (plan: FaultPlan.FaultPlanInput) => FakeClaudeApi.makeInMemory({ plan })
}

export type Transport = keyof typeof transports

/** An error and what caused it, in what a program can tell them by. */
export const described = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  return {
    class: error.constructor.name === "Error" ? error.name : error.constructor.name,
    name: error.name,
    message: error.message,
    code: "code" in error ? error.code : undefined,
    ...(error.cause === undefined ? {} : { cause: described(error.cause) })
  }
}

/** What differs from one run to the next. */
const changing = /^(date|anthropic-ratelimit-.*-(reset|remaining))$/

export const postWith = (
  { fetch, url }: Pick<Reached, "fetch" | "url">,
  body: unknown = request,
  init: RequestInit = {}
) =>
  fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": "key", "content-type": "application/json" },
    body: JSON.stringify(body),
    ...init
  })

/** All that plain `fetch` shows of an answer. */
export const seenByFetch = (api: Pick<Reached, "fetch" | "url">, body: unknown, init?: RequestInit) =>
  Effect.promise(async () => {
    let response: Response
    try {
      response = await postWith(api, body, init)
    } catch (error) {
      return { failure: described(error) }
    }
    const { bytes, failure } = await readAll(response)
    return {
      status: response.status,
      statusText: response.statusText,
      headers: Object.fromEntries([...response.headers].filter(([name]) => !changing.test(name))),
      url: response.url.replace(api.url, ""),
      bytes: bytes.toString("latin1"),
      failure: described(failure)
    }
  })

export const readAll = async (response: Response) => {
  const chunks: Array<Uint8Array> = []
  let failure: unknown
  const reader = response.body?.getReader()
  try {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      chunks.push(next.value)
    }
  } catch (error) {
    failure = error
  }
  return { chunks, bytes: Buffer.concat(chunks), failure }
}

interface SeenBySdk {
  readonly message?: unknown
  readonly events?: ReadonlyArray<string>
  readonly error?: unknown
  readonly status?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly requestId?: unknown
}

/** What the official SDK gives or throws. */
export const seenBySdk = ({ fetch, url }: Pick<Reached, "fetch" | "url">, stream: boolean) =>
  Effect.promise(async (): Promise<SeenBySdk> => {
    const client = new Anthropic({ apiKey: "key", baseURL: url, maxRetries: 0, fetch, logLevel: "off" })
    const events: Array<string> = []
    try {
      if (!stream) return { message: await client.messages.create(request) }
      for await (const event of await client.messages.create({ ...request, stream: true })) events.push(event.type)
      return { events }
    } catch (error) {
      return {
        events,
        error: described(error),
        ...(error instanceof APIError
          ? { status: error.status, type: error.type, code: error.errorCode, requestId: error.requestID }
          : {})
      }
    }
  })

/** The tag and verdict of our client's error, or that there is none. */
export const seenByClient = ({ fetch, url }: Pick<Reached, "fetch" | "url">, stream: boolean) =>
  Effect.scoped(Effect.gen(function*() {
    const services = yield* Layer.build(
      AnthropicClient.layer({ apiKey: Redacted.make("key"), baseUrl: url, sdk: { fetch } })
    )
    const claude = Context.get(services, ClaudeService)
    const call: Effect.Effect<unknown, ClaudeError> = stream
      ? Stream.runDrain(claude.streamMessage(request))
      : claude.createMessage(request)
    return yield* Effect.match(call, {
      onSuccess: () => "answered",
      onFailure: (error) => ({
        tag: error._tag,
        verdict: error.verdict._tag === "Stop" ? "stop" : error.verdict.kind,
        code: error._tag === "ConnectionError" ? error.code : undefined,
        status: error.status,
        errorCode: error.errorCode,
        partial: error.partial?.text
      })
    })
  }))

import { Anthropic } from "@anthropic-ai/sdk"
import type { MessageRequest } from "@effect-claude/client/ClaudeService"

const body = JSON.stringify({
  id: "msg_01",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [{ type: "text", text: "Hello!" }],
  container: null,
  diagnostics: null,
  stop_details: null,
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 12, output_tokens: 3 }
})

// Limits that never make a call wait, since waiting is not what is measured.
const headers = {
  "content-type": "application/json",
  "request-id": "req_01",
  ...Object.fromEntries(
    ["requests", "input-tokens", "output-tokens"].flatMap((name) => [
      [`anthropic-ratelimit-${name}-limit`, "1000000000"],
      [`anthropic-ratelimit-${name}-remaining`, "1000000000"],
      [`anthropic-ratelimit-${name}-reset`, new Date(Date.now() + 1000).toISOString()]
    ])
  )
}

export const request: MessageRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Say hello" }]
}

type Fetch = (url: unknown, init?: { readonly signal?: AbortSignal | null | undefined }) => Promise<Response>

const client = (fetch: Fetch) => new Anthropic({ apiKey: "sk-ant-benchmark", openTelemetry: false, fetch })

/** A client of the real SDK whose `fetch` answers at once. */
export const answeringClient = client(() => Promise.resolve(new Response(body, { headers })))

/** A client of the real SDK whose `fetch` never answers, and ends when it is told to. */
export const silentClient = client((_url, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener("abort", () => reject(new DOMException("This operation was aborted", "AbortError")))
  })
)

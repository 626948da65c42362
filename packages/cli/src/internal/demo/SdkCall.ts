import { Anthropic } from "@anthropic-ai/sdk"
import type { Ending } from "./Outcome.ts"
import { model, type Scenario } from "./Scenario.ts"

/** How a call through the plain SDK ended. */
export interface Ended {
  readonly ending: Ending
  readonly what: string
  readonly tag: string | null
}

const request = { model, max_tokens: 256, messages: [{ role: "user" as const, content: "Tell me a short story" }] }

const failed = (error: unknown): Ended => {
  const name = error instanceof Error ? error.constructor.name : typeof error
  const status = error instanceof Anthropic.APIError && error.status !== undefined ? ` ${error.status}` : ""
  return { ending: "failed", what: `${name}${status}`, tag: name }
}

const message = async (client: Anthropic, signal: AbortSignal): Promise<Ended> => {
  const answer: unknown = await client.messages.create(request, { signal })
  if (typeof answer !== "object" || answer === null || !("stop_reason" in answer)) {
    return { ending: "wrong", what: `a ${typeof answer}, no error`, tag: null }
  }
  return { ending: "answered", what: "answer", tag: null }
}

const stream = async (client: Anthropic, signal: AbortSignal): Promise<Ended> => {
  let isWhole = false
  for await (const event of await client.messages.create({ ...request, stream: true }, { signal })) {
    if (event.type === "message_stop") isWhole = true
  }
  if (!isWhole && signal.aborted) return { ending: "waiting", what: "still waiting", tag: null }
  return isWhole
    ? { ending: "answered", what: "answer", tag: null }
    : { ending: "wrong", what: "part of an answer, no error", tag: null }
}

/** One call through the plain SDK, with its defaults: 2 retries, 10 minutes for the headers of each attempt. */
export const callSdk = async (scenario: Scenario, baseURL: string, signal: AbortSignal): Promise<Ended> => {
  const client = new Anthropic({ apiKey: "sk-ant-demo", authToken: null, baseURL })
  try {
    return await (scenario.stream ? stream(client, signal) : message(client, signal))
  } catch (error) {
    return signal.aborted ? { ending: "waiting", what: "still waiting", tag: null } : failed(error)
  }
}

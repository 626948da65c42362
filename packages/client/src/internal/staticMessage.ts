import type { Message, Usage } from "@anthropic-ai/sdk/resources/messages/messages"

const nothingUsed: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation: null,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  inference_geo: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: null,
  speed: null
}

/** A message of the program's own: the shape of an answer, and no model behind it. */
export const staticMessage = (text: string, model: string): Message => ({
  id: "static",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text, citations: null }],
  stop_reason: "end_turn",
  stop_sequence: null,
  stop_details: null,
  usage: nothingUsed,
  container: null,
  diagnostics: null
})

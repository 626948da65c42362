import * as FaultStep from "@effect-claude/testing/FaultStep"
import { apiError, type Entry, healthyJson } from "./Entry.ts"

const answer = (
  name: string,
  row: Entry["row"],
  preset: Entry["preset"],
  step: FaultStep.FaultStep,
  stopReason: string,
  ai: string
): Entry => ({ name, row, preset, step, ...healthyJson, sdk: `message ${stopReason}`, ai })

const categories = ["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms", null] as const
const input = { path: "/etc", cmd: "rm -rf /tmp/cache" }

/** Answers with status 200 that are failures, and what is refused because of the request. */
export const results: ReadonlyArray<Entry> = [
  answer(
    "answer cut by max_tokens",
    "D max_tokens",
    "truncatedAnswer",
    FaultStep.truncatedAnswer(),
    "max_tokens",
    "length"
  ),
  answer(
    "answer cut by the context window",
    "D model_context_window_exceeded",
    "truncatedAnswer",
    FaultStep.truncatedAnswer({ by: "model_context_window_exceeded" }),
    "model_context_window_exceeded",
    "length"
  ),
  answer(
    "tool input cut by max_tokens",
    "D truncated tool input",
    "truncatedToolInput",
    FaultStep.truncatedToolInput({ name: "shell", input, afterCharacters: 30 }),
    "max_tokens",
    "length"
  ),
  ...categories.map((category) =>
    answer(
      `refusal, category ${category}`,
      "D refusal",
      "refusal",
      FaultStep.refusal({ category }),
      "refusal",
      "content-filter"
    )
  ),
  answer("pause_turn", "D pause_turn", "pauseTurn", FaultStep.pauseTurn(), "pause_turn", "stop"),
  answer("empty end_turn", "D empty end_turn", "emptyAnswer", FaultStep.emptyAnswer(), "end_turn", "stop"),
  {
    name: "tool input that is no JSON",
    row: "D tool input that is no JSON",
    preset: "message",
    step: FaultStep.message({
      content: [{ type: "tool_use", name: "shell", input }],
      // Two values with nothing between them. Input that only ends early is read as far as it goes.
      insert: [{
        kind: "event",
        event: "content_block_delta",
        data: { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: "{} {}" } },
        afterEvents: 2
      }]
    }),
    stream: true,
    sdk: "9 events, end",
    helper: "AnthropicError < SyntaxError",
    ai: "tool-calls",
    curl: "0 200 9 events",
    own: "9 events"
  },
  {
    name: "tool input that ends early",
    row: "D truncated tool input",
    preset: "message",
    step: FaultStep.message({
      content: [{ type: "tool_use", name: "shell", input }],
      truncateToolInput: 30,
      stopReason: "tool_use"
    }),
    stream: true,
    sdk: "7 events, end",
    ai: "tool-calls",
    curl: "0 200 7 events",
    own: "7 events"
  },
  {
    name: "tool input without JSON",
    row: "D tool input that is no JSON",
    preset: "message",
    step: FaultStep.message({
      content: [{ type: "tool_use", name: "shell", input }],
      truncateToolInput: 0,
      stopReason: "tool_use"
    }),
    stream: true,
    sdk: "5 events, end",
    ai: "tool-calls",
    curl: "0 200 5 events",
    own: "5 events"
  },
  {
    name: "refusal in the middle of a stream",
    row: "D refusal",
    preset: "refusal",
    step: FaultStep.refusal({ category: "cyber", afterEvents: 4 }),
    stream: true,
    sdk: "7 events, end",
    ai: "content-filter",
    curl: "0 200 7 events",
    own: "7 events"
  },
  answer(
    "structured output that is no JSON",
    "D structured output that is not",
    "message",
    FaultStep.message({ text: "Sorry, here is your JSON:" }),
    "end_turn",
    "stop"
  ),
  apiError(
    "A 400",
    "ofType",
    "400 schema too complex",
    FaultStep.ofType("invalid_request_error", { message: "Schema is too complex." }),
    "BadRequestError",
    "InvalidRequestError stop"
  ),
  {
    name: "temperature",
    row: "A validation by version",
    preset: "message",
    step: FaultStep.message(),
    fields: { temperature: 0.5 },
    ...healthyJson,
    sdk: "BadRequestError 400 invalid_request_error -",
    own: "InvalidRequestError stop"
  },
  answer("healthy answer", "E limits in headers", "message", FaultStep.message(), "end_turn", "stop"),
  apiError(
    "A 500",
    "error",
    "any error",
    FaultStep.error({ status: 507, error: { type: "storage_error", message: "Full", details: { disk: 1 } } }),
    "InternalServerError",
    "InternalServerError serverError"
  )
]

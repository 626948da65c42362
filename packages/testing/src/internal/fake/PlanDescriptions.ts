/**
 * What editors show of the fields of a plan, by the definitions of its JSON schema. The empty name is the definition
 * itself; what is in brackets is the default.
 */
const common = {
  kind: "What the client gets.",
  times: "How many requests get this step [1].",
  delay: "The time before anything is sent [0]."
}

const headers = "Headers that are added to those of the API; null removes one."
const bodyDelay = "The time between the headers and the body, or the first event [0]."
const chunkBytes = "Sends the body in pieces of this many bytes, wherever characters and events end."

const chunkDelay = "The time between two of these pieces [0]."

const tier = (requests: string) => ({
  inputTokens: `Input tokens in a window, for ${requests}.`,
  outputTokens: `Output tokens in a window, for ${requests}.`
})

const nested = (name: string, fields: { readonly [field: string]: string }) =>
  Object.fromEntries(Object.entries(fields).map(([field, text]) => [`${name}.${field}`, text]))

const queue = {
  steps: "One for each request, in order. Default: none.",
  after: "What every later request gets. Default: a healthy answer.",
  outages: "Steps for all requests within a span of time, whatever the other steps say.",
  "outages.from": "When it begins, counted from the start of the plan.",
  "outages.to": "When it ends [never].",
  "outages.share": "The part of the requests that it strikes, chosen by chance [1].",
  "outages.step": "What requests get until then."
}

const limits = {
  requests: "Requests in a window.",
  inputTokens: "Input tokens in a window.",
  outputTokens: "Output tokens in a window."
}

export const descriptions = {
  FaultPlan: {
    "": "What a fake Claude API does with its requests: the steps in order, one a request, then a healthy answer.",
    $schema: "Where this schema is, for editors; nothing else reads it.",
    ...queue,
    models: "Steps of their own for the requests that name a model.",
    ...nested("models", queue),
    seed: "Other seeds choose other requests for the shares of outages.",
    requestRules: "What is refused besides what a request says of itself.",
    "requestRules.models": "Which models there are: any, those that the SDK knows (known), or those of a list [any].",
    "requestRules.allowedFallbacks": "For a model, which others it may fall back to. Default: all.",
    rateLimits: "Limits that are enforced, and reported in the headers of every answer.",
    batches: "What becomes of message batches, and of the requests for them."
  },
  Step: { "": "What one request gets." },
  MessageStep: {
    "": "A healthy answer, streamed if the request says so, optionally slow, split or interrupted.",
    ...common,
    text: "What the answer says. Default, without content: what the request asks for.",
    content: "The blocks of the answer.",
    truncateToolInput: "After how many characters the input of the last tool call ends, as if max_tokens cut it.",
    stopReason: "The stop reason [tool_use if there is a tool call, otherwise end_turn].",
    stopSequence: "The sequence at which the answer stopped.",
    stopDetails: "Why the answer was refused.",
    usage: "Token counts that replace the estimated ones.",
    fallbackText: "What a fallback model says when this answer is a refusal and the request has fallbacks.",
    resume: "Whether a request that holds the beginning of the answer gets the rest of it [false].",
    "resume.overlap": "How many words before that place it begins.",
    headers,
    bodyDelay,
    eventDelay: "The time between the events of a stream [0].",
    chunkBytes,
    chunkDelay,
    lineEnd: "How the lines of a stream end [lf].",
    byteOrderMark: "Whether a stream begins with a byte order mark [false].",
    insert: "Pings, comments and other events to put into a stream.",
    "insert.kind": "What is put in.",
    "insert.afterEvents": "After how many events [3].",
    "insert.count": "How often [1].",
    "insert.interval": "The time between them [0].",
    "insert.text": "The text of the comment.",
    "insert.event": "The name of the event.",
    "insert.data": "The data of the event; text is sent as it is.",
    interrupt: "How the answer ends early.",
    "interrupt.how": "What happens: nothing more comes (stall), it ends as if it were whole (end), the connection "
      + "breaks (reset, close), or an error event comes (error).",
    "interrupt.afterEvents": "After how many events of a stream [3].",
    "interrupt.afterBytes": "After how many bytes [half of a JSON answer].",
    "interrupt.pause": "The time in which the client can read before the connection breaks [20 milliseconds].",
    "interrupt.error": "The error of the event [overloaded_error].",
    "interrupt.data": "The data of the event, sent as it is."
  },
  ErrorStep: {
    "": "An error of the API.",
    ...common,
    status: "The HTTP status.",
    error: "The error in the body.",
    headers,
    retryAt: "The time from now that a retry-after in the form of a date names.",
    limit: "The rate limit that the headers show as used up."
  },
  ResponseStep: {
    "": "Any answer, with nothing added, as from a proxy.",
    ...common,
    status: "The HTTP status.",
    headers: "The headers of the answer.",
    contentType: "The content type [plain text for a body that is text, otherwise JSON].",
    body: "The body; text is sent as it is, anything else as JSON [empty].",
    bodyDelay,
    chunkBytes,
    chunkDelay,
    interrupt: "How the answer ends early.",
    "interrupt.how": "What happens: nothing more comes (stall), it ends as if it were whole (end), or the connection "
      + "breaks (reset, close).",
    "interrupt.afterBytes": "After how many bytes [half].",
    "interrupt.pause": "The time in which the client can read before the connection breaks [20 milliseconds]."
  },
  DisconnectStep: {
    "": "No answer at all.",
    ...common,
    how: "A TCP reset, a connection that closes, or bytes that are no HTTP.",
    afterBytes: "After how many bytes of the status line and headers; the headers do not come to their end [0]."
  },
  UnreachableStep: {
    "": "No connection at all: in memory, and two of the codes in the handshake of a server with TLS.",
    ...common,
    code: "The code that the client sees."
  },
  CapacityStep: {
    "": "A healthy answer after the service time, or a 529 when too many others are being served.",
    ...common,
    limit: "How many requests are served at the same time.",
    serviceTime: "How long each takes.",
    retryAfter: "The wait that the others are told [none]."
  },
  ApiError: {
    "": "An error as the API words it.",
    type: "Such as overloaded_error.",
    message: "The message [a usual one for the type].",
    details: "More fields, of which error_code is one."
  },
  ContentBlock: {
    "": "A block of content. One of type text, thinking, tool_use or server_tool_use may leave out what the API always "
      + "adds; any other is sent as written."
  },
  RateLimits: {
    "": "Token buckets that refill evenly. A limit that is left out is generous.",
    ...limits,
    window: "The time in which an empty bucket is full again [60 seconds].",
    enforce: "Whether a request that does not fit is answered with a 429 [true].",
    rounding: "To how many tokens the headers round what is left [1000, at most a hundredth of the limit].",
    models: "Limits of their own for the requests that name a model.",
    "models.requests": limits.requests,
    "models.inputTokens": limits.inputTokens,
    "models.outputTokens": limits.outputTokens,
    otherConsumers: "Other programs that use the same limits.",
    ramp: "How fast usage may grow; what is beyond gets a 429 with the code ramp_limit_exceeded.",
    "ramp.requests": "Requests that a window may always have.",
    "ramp.inputTokens": "Input tokens that a window may always have.",
    "ramp.growth": "How many times the use of the window before a window may have [2].",
    "ramp.window": "The time that is compared with the one before [the window of the limits].",
    priority: "The limits of a Priority Tier. Default: none.",
    ...nested("priority", tier("the Priority Tier")),
    fast: "The limits of fast mode. Default: generous.",
    ...nested("fast", tier("requests in fast mode"))
  },
  OtherConsumers: {
    "": "Programs that use the same limits and that the client does not see: a share, or requests.",
    share: "The part of every limit that they use.",
    requestsPerSecond: "How many requests they send.",
    inputTokens: "Input tokens of each of their requests [0].",
    outputTokens: "Output tokens of each of their requests [0].",
    from: "When they begin [0].",
    to: "When they end [never]."
  },
  Batches: {
    "": "What becomes of message batches, and of the requests for them.",
    processingTime: "How long a batch is in progress [0].",
    archived: "Whether the results of batches that have ended are gone [false].",
    seed: "Other seeds choose other requests for the shares.",
    outcomes: "What becomes of requests; the first entry that fits counts, and without one they succeed.",
    "outcomes.outcome": "How the request ends.",
    "outcomes.customId": "A regular expression for the custom_id of the requests.",
    "outcomes.share": "The part of all requests.",
    "outcomes.times": "How many submissions of a custom_id it is for [all].",
    "outcomes.text": "What the answer says.",
    "outcomes.stopReason": "The stop reason of the answer.",
    "outcomes.stopDetails": "Why the answer was refused.",
    "outcomes.error": "The error [api_error].",
    results: "What goes wrong with the downloads of results, one entry each.",
    "results.how": "What happens.",
    "results.afterLines": "After how many lines [half].",
    "results.afterBytes": "After how many bytes.",
    "results.edits": "Lines to insert or replace.",
    "results.edits.how": "Whether the line is put in, or replaces one.",
    "results.edits.line": "Its place, counted from 1.",
    "results.edits.text": "The line.",
    steps: "Steps for the requests of each operation, in order.",
    ...Object.fromEntries(
      ["create", "list", "retrieve", "cancel", "delete", "results"].map((operation) => [
        `steps.${operation}`,
        "One for each request, in order. A message does what was asked for; all others do nothing but what they say."
      ])
    )
  }
} as const satisfies { readonly [definition: string]: { readonly [path: string]: string } }

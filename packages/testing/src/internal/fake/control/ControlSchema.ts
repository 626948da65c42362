import * as Schema from "effect/Schema"

const outcome = Schema.Literals(["pending", "answered", "clientClosed", "cut"])

/** What the control endpoint says of one request. What there is none of is `null`. */
const Request = Schema.Struct({
  number: Schema.Int,
  requestId: Schema.String,
  method: Schema.String,
  path: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  body: Schema.Json,
  receivedAt: Schema.Finite,
  did: Schema.String,
  bytesSent: Schema.Int,
  status: Schema.NullOr(Schema.Int),
  outcome,
  endedAt: Schema.NullOr(Schema.Finite)
})

export const Requests = Schema.Struct({ requests: Schema.Array(Request) })

/** What compares of the same requests: a digest stands for the body, and times are there only if they are virtual. */
export const Journal = Schema.Struct({
  journal: Schema.Array(Schema.Struct({
    number: Schema.Int,
    method: Schema.String,
    path: Schema.String,
    model: Schema.NullOr(Schema.String),
    body: Schema.NullOr(Schema.String),
    did: Schema.String,
    status: Schema.NullOr(Schema.Int),
    bytesSent: Schema.Int,
    outcome,
    receivedAt: Schema.optionalKey(Schema.Finite),
    endedAt: Schema.optionalKey(Schema.Finite)
  }))
})

const state = {
  url: Schema.String,
  openConnections: Schema.Int,
  arrived: Schema.Int,
  ended: Schema.Int
}

/** A space, or the one that all share, and how many requests its records hold. */
export const SpaceState = Schema.Struct({ id: Schema.String, ...state })

export const ServerState = Schema.Struct({ ...state, spaces: Schema.Array(SpaceState) })

/** A mistake in a request to the endpoint; the message of a wrong plan has a line for each mistake. */
export const Failure = Schema.Struct({
  error: Schema.Struct({
    type: Schema.Literals(["forbidden", "not_found", "method_not_allowed", "invalid_request", "conflict", "timeout"]),
    message: Schema.String
  })
})

/** What begins a space. The plan is decoded by itself, for its own messages. */
export const NewSpace = Schema.Struct({
  id: Schema.optionalKey(Schema.String),
  plan: Schema.optionalKey(Schema.Unknown)
})

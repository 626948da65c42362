import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { decodeStrictly } from "../../StrictDecoding.ts"
import type { Connection } from "../Connection.ts"
import type { FakeApi } from "../FakeApi.ts"
import type { JournalEntry } from "../Journal.ts"
import { decodeJson, decodePlan } from "../PlanDecoding.ts"
import { Plan } from "../PlanSchema.ts"
import { maxBodyBytes } from "../RequestCheck.ts"
import type { RecordedRequest } from "../RequestLog.ts"
import type { Space } from "../space/Space.ts"
import { idProblems, type Spaces } from "../space/Spaces.ts"
import { type Failure, Journal, NewSpace, Requests, ServerState, SpaceState } from "./ControlSchema.ts"
import { isForeign } from "./ForeignRequest.ts"
import { type Awaited, awaitedRequests } from "./RequestQuery.ts"

type FailureType = (typeof Failure.Type)["error"]["type"]

/** Where the server is found, and how many connections it has. */
export interface ControlledServer {
  readonly url: string
  readonly openConnections: () => number
}

/** What is asked for: the records and the plan of a space, or of the one that all share. */
interface Place extends ControlledServer {
  readonly api: FakeApi
}

interface Reply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A request to the endpoint that is not done, and why. */
class Refused extends Data.TaggedError("Refused")<{
  readonly status: number
  readonly type: FailureType
  readonly message: string
  readonly headers?: Readonly<Record<string, string>> | undefined
}> {}

type Handler = (request: ControlRequest) => Effect.Effect<Reply, Refused>
type Handlers = { readonly [Method in "GET" | "POST" | "PUT" | "DELETE"]?: Handler }

interface ControlRequest {
  readonly query: URLSearchParams
  readonly text: string
}

const root = "/_control"

// Not by a URL, which takes dots out of a path: what is asked for stands there as it is.
const parts = (target: string): { readonly path: ReadonlyArray<string>; readonly query: URLSearchParams } => {
  const [pathname = "", ...rest] = target.replace(/#.*$/s, "").split("?")
  return { path: pathname.slice(root.length).split("/").slice(1), query: new URLSearchParams(rest.join("?")) }
}

/** Whether a request is for the endpoint, which no path of the API collides with. */
export const isControl = ({ target }: Connection): boolean => /^\/_control(?:[/?]|$)/.test(target)

/** Programs a fake API over HTTP. Its requests are none of the API: they are in no record and take no step of a plan. */
export class ControlEndpoint {
  readonly #spaces: Spaces
  readonly #server: () => ControlledServer

  constructor(spaces: Spaces, server: () => ControlledServer) {
    this.#spaces = spaces
    this.#server = server
  }

  answer(connection: Connection): Effect.Effect<void> {
    return connection.readBody(maxBodyBytes).pipe(
      Effect.flatMap(({ bytes, size }) => this.#reply(connection, size > maxBodyBytes ? undefined : textOf(bytes))),
      Effect.catchTag(
        "Refused",
        ({ headers, message, status, type }) =>
          Effect.succeed<Reply>({ status, headers, body: { error: { type, message } } satisfies typeof Failure.Type })
      ),
      Effect.flatMap((reply) => send(connection, reply))
    )
  }

  #reply(connection: Connection, text: string | undefined): Effect.Effect<Reply, Refused> {
    if (isForeign(connection.headers)) {
      return Effect.fail(
        new Refused({ status: 403, type: "forbidden", message: "Only a program on this machine may use this endpoint" })
      )
    }
    if (text === undefined) return invalid("The body is above 32 MB")
    const { path, query } = parts(connection.target)
    return Effect.flatMap(this.#handlers(path), (handlers) => {
      const handler = Object.entries(handlers).find(([method]) => method === connection.method)?.[1]
      return handler === undefined
        ? Effect.fail(
          new Refused({
            status: 405,
            type: "method_not_allowed",
            message: `${connection.method} is not allowed here`,
            headers: { allow: Object.keys(handlers).join(", ") }
          })
        )
        : handler({ query, text })
    })
  }

  #handlers(path: ReadonlyArray<string>): Effect.Effect<Handlers, Refused> {
    const [first, id, ...rest] = path
    if (first === undefined || (first === "" && path.length === 1)) {
      return Effect.succeed({ GET: () => this.#serverState() })
    }
    if (first !== "spaces") return placeHandlers(this.#shared(), path)
    if (id === undefined) return Effect.succeed({ POST: ({ text }) => this.#begin(text) })
    const space = this.#spaces.get(id)
    if (space === undefined) return notFound(`There is no space ${JSON.stringify(id)}: it has ended, or it never began`)
    if (rest.length > 0) return placeHandlers(this.#placeOf(space), rest)
    return Effect.succeed({
      GET: () => json(200, SpaceState, this.#spaceState(space)),
      DELETE: () =>
        Effect.sync(() => {
          this.#spaces.end(space)
          return nothing
        })
    })
  }

  #begin(text: string): Effect.Effect<Reply, Refused> {
    return Effect.gen({ self: this }, function*() {
      const { id, plan } = yield* orInvalid(Result.flatMap(decodeJson(text === "" ? "{}" : text), decodeNewSpace))
      const decoded = yield* orInvalid(decodePlan(plan ?? {}))
      const mistake = this.#spaces.mistakeIn(decoded)
      if (mistake !== undefined) return yield* invalid(mistake)
      const space = this.#spaces.begin(decoded, id)
      if (space === "wrong") return yield* invalid(`id: ${idProblems.wrong}`)
      if (space === "taken") {
        return yield* Effect.fail(
          new Refused({ status: 409, type: "conflict", message: `id: ${idProblems.taken}, got ${JSON.stringify(id)}` })
        )
      }
      return yield* json(201, SpaceState, this.#spaceState(space))
    })
  }

  #serverState(): Effect.Effect<Reply> {
    const spaces = this.#spaces.all().map((space) => this.#spaceState(space))
    return json(200, ServerState, { ...stateOf(this.#shared()), spaces })
  }

  #spaceState(space: Space): typeof SpaceState.Type {
    return { id: space.id, ...stateOf(this.#placeOf(space)) }
  }

  #shared(): Place {
    return { ...this.#server(), api: this.#spaces.shared }
  }

  #placeOf(space: Space): Place {
    return {
      url: this.#server().url + space.path,
      api: space.api,
      openConnections: () => space.openConnections()
    }
  }
}

const placeHandlers = ({ api }: Place, path: ReadonlyArray<string>): Effect.Effect<Handlers, Refused> => {
  const [resource, ...rest] = path
  if (rest.length === 0 && resource === "plan") {
    return Effect.succeed({
      GET: () => json(200, Plan, api.plan),
      PUT: ({ text }) =>
        Effect.flatMap(orInvalid(Result.flatMap(decodeJson(text), decodePlan)), (plan) => {
          const mistake = api.mistakeIn(plan)
          if (mistake !== undefined) return invalid(mistake)
          api.setPlan(plan)
          return json(200, Plan, plan)
        })
    })
  }
  if (rest.length === 0 && resource === "requests") {
    return Effect.succeed({
      GET: ({ query }) =>
        Effect.flatMap(orInvalid(awaitedRequests(query)), (awaited) =>
          Effect.andThen(
            awaited === undefined ? Effect.void : awaitRequests(api, awaited),
            Effect.suspend(() => json(200, Requests, { requests: api.log.snapshot().map(recordOf) }))
          )),
      DELETE: () =>
        Effect.sync(() => {
          api.log.clear()
          return nothing
        })
    })
  }
  if (rest.length === 0 && resource === "journal") {
    return Effect.succeed({
      GET: () => Effect.suspend(() => json(200, Journal, { journal: api.journal.map(entryOf) }))
    })
  }
  return notFound(`There is nothing at ${JSON.stringify(path.join("/"))}; there are plan, requests, journal and spaces`)
}

const awaitRequests = ({ log }: FakeApi, { count, what, within }: Awaited): Effect.Effect<void, Refused> => {
  const reached = () => what === "arrived" ? log.count : log.endedCount
  return Effect.timeoutOrElse(log.awaitUntil(() => reached() >= count), {
    duration: within,
    orElse: () =>
      Effect.fail(
        new Refused({ status: 408, type: "timeout", message: `${reached()} of ${count} requests have ${what} in time` })
      )
  })
}

const stateOf = ({ api: { log }, openConnections, url }: Place) => ({
  url,
  openConnections: openConnections(),
  arrived: log.count,
  ended: log.endedCount
})

const recordOf = (
  { body, endedAt, status, ...request }: RecordedRequest
): (typeof Requests.Type)["requests"][number] => ({
  ...request,
  // What is no JSON is text; nothing else comes from a body.
  body: body === undefined ? null : body as Schema.Json,
  status: status ?? null,
  endedAt: endedAt ?? null
})

const entryOf = ({ body, model, status, ...entry }: JournalEntry): (typeof Journal.Type)["journal"][number] => ({
  ...entry,
  model: model ?? null,
  body: body ?? null,
  status: status ?? null
})

const decodeNewSpace = decodeStrictly(NewSpace)

const invalid = (message: string): Effect.Effect<never, Refused> =>
  Effect.fail(new Refused({ status: 400, type: "invalid_request", message }))

const notFound = (message: string): Effect.Effect<never, Refused> =>
  Effect.fail(new Refused({ status: 404, type: "not_found", message }))

const orInvalid = <A>(result: Result.Result<A, string>): Effect.Effect<A, Refused> =>
  Result.isSuccess(result) ? Effect.succeed(result.success) : invalid(result.failure)

const json = <S extends Schema.ConstraintEncoder<unknown>>(
  status: number,
  schema: S,
  body: S["Type"]
): Effect.Effect<Reply> =>
  Effect.map(Effect.orDie(Schema.encodeEffect(schema)(body)), (encoded) => ({ status, body: encoded }))

const nothing: Reply = { status: 204 }

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")

const send = (connection: Connection, { body, headers, status }: Reply): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (body === undefined) {
      connection.head(status, {})
      return connection.end()
    }
    const bytes = Buffer.from(`${JSON.stringify(body)}\n`)
    connection.head(status, { "content-type": "application/json", "content-length": bytes.length, ...headers })
    return connection.end(bytes)
  })

import * as Effect from "effect/Effect"
import { errorBody } from "../ApiErrors.ts"
import type { Connection } from "../Connection.ts"
import { FakeApi } from "../FakeApi.ts"
import type { Plan } from "../PlanSchema.ts"
import { type Transport, transportMistake } from "../Reachability.ts"
import type { RecordedRequest } from "../RequestLog.ts"
import type { ServerClock } from "../ServerClock.ts"
import { Space, spacesPath } from "./Space.ts"

type FaultPlan = typeof Plan.Type

export interface SpacesOptions {
  readonly clock: ServerClock
  readonly transport: Transport
  /** Is called for each request that is over, with the id of its space if that is not the shared one. */
  readonly onEnded?: ((request: RecordedRequest, space: string | undefined) => void) | undefined
}

// Dots alone would be taken out of a path.
const idForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** What a server answers with: the space that all share, and those that began and have not ended. */
export class Spaces {
  readonly shared: FakeApi
  readonly #options: SpacesOptions
  readonly #spaces = new Map<string, Space>()
  #begun = 0

  constructor(plan: FaultPlan, options: SpacesOptions) {
    this.#options = options
    this.shared = new FakeApi({
      plan,
      clock: options.clock,
      transport: options.transport,
      onEnded: (request) => options.onEnded?.(request, undefined)
    })
  }

  /** Begins a space with this id, or with the next number; says what is wrong with the id otherwise. */
  begin(plan: FaultPlan, id: string | undefined): Space | IdProblem {
    if (id !== undefined && !idForm.test(id)) return "wrong"
    if (id !== undefined && this.#spaces.has(id)) return "taken"
    const { clock, onEnded } = this.#options
    const own = id ?? this.#freeId()
    const space = new Space(
      own,
      new FakeApi({ plan, clock, transport: this.#transportOfSpaces, onEnded: (request) => onEnded?.(request, own) })
    )
    this.#spaces.set(own, space)
    return space
  }

  /** What a plan has that a space cannot do: its requests come over connections that were made before. */
  mistakeIn(plan: FaultPlan): string | undefined {
    return transportMistake(plan, this.#transportOfSpaces)
  }

  get #transportOfSpaces(): Transport {
    return this.#options.transport === "memory" ? "memory" : "socket"
  }

  get(id: string): Space | undefined {
    return this.#spaces.get(id)
  }

  all(): ReadonlyArray<Space> {
    return [...this.#spaces.values()]
  }

  end(space: Space): void {
    // Another one may have begun under this id since.
    if (this.#spaces.get(space.id) === space) this.#spaces.delete(space.id)
    space.close()
  }

  answer(connection: Connection): Effect.Effect<void> {
    if (!connection.target.startsWith(spacesPath)) return this.shared.answer(connection)
    const id = /^[^/?]*/.exec(connection.target.slice(spacesPath.length))?.[0] ?? ""
    return this.get(id)?.answer(connection) ?? answerUnknown(connection, id)
  }

  #freeId(): string {
    let id: string
    do id = String(++this.#begun)
    while (this.#spaces.has(id))
    return id
  }
}

export type IdProblem = "wrong" | "taken"

export const idProblems: Readonly<Record<IdProblem, string>> = {
  wrong: "Expected up to 100 letters, digits, and characters of \"._-\", the first a letter or digit",
  taken: "Expected an id that no other space has"
}

/** In the shape of an API error, since the one who reads it is a client of the API. */
const answerUnknown = (connection: Connection, id: string): Effect.Effect<void> =>
  Effect.flatMap(connection.readBody(0), () => {
    const message = `This fake Claude API has no space ${JSON.stringify(id)}: it has ended, or it never began`
    const body = Buffer.from(JSON.stringify(errorBody({ type: "not_found_error", message }, "req_fake_no_space")))
    connection.head(404, { "content-type": "application/json", "content-length": body.length })
    return connection.end(body)
  })

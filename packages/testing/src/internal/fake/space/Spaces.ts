import * as Effect from "effect/Effect"
import { errorBody } from "../ApiErrors.ts"
import type { Connection } from "../Connection.ts"
import { FakeApi } from "../FakeApi.ts"
import type { Plan } from "../PlanSchema.ts"
import type { ServerClock } from "../ServerClock.ts"
import { Space, spacesPath } from "./Space.ts"

type FaultPlan = typeof Plan.Type

const idForm = /^[A-Za-z0-9._-]{1,100}$/

/** What a server answers with: the space that all share, and those that began and have not ended. */
export class Spaces {
  readonly shared: FakeApi
  readonly #clock: ServerClock
  readonly #spaces = new Map<string, Space>()
  #begun = 0

  constructor(options: { readonly plan: FaultPlan; readonly clock: ServerClock }) {
    this.#clock = options.clock
    this.shared = new FakeApi(options)
  }

  /** Begins a space with this id, or with one of its own; says why the id cannot be had otherwise. */
  begin(plan: FaultPlan, id: string | undefined): Space | IdProblem {
    if (id !== undefined && !idForm.test(id)) return "wrong"
    if (id !== undefined && this.#spaces.has(id)) return "taken"
    const space = new Space(id ?? this.#freeId(), new FakeApi({ plan, clock: this.#clock }))
    this.#spaces.set(space.id, space)
    return space
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
  wrong: "Expected up to 100 letters, digits, and characters of \"._-\"",
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

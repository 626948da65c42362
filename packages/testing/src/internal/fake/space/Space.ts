import type * as Effect from "effect/Effect"
import { Changes } from "../Changes.ts"
import type { Connection } from "../Connection.ts"
import type { FakeApi } from "../FakeApi.ts"
import { SpaceConnection } from "./SpaceConnection.ts"

/** A part of a server that shares nothing with the others but the port. */
export class Space {
  readonly id: string
  readonly path: string
  readonly api: FakeApi
  readonly #connections = new Set<Connection>()
  readonly #changes = new Changes()

  constructor(id: string, api: FakeApi) {
    this.id = id
    this.path = `${spacesPath}${id}`
    this.api = api
  }

  answer(connection: Connection): Effect.Effect<void> {
    const own = new SpaceConnection(connection, this.path)
    this.#connections.add(own)
    own.onEnd(() => {
      this.#connections.delete(own)
      this.#changes.announce()
    })
    return this.api.answer(own)
  }

  /** The connections with a request for this space in progress; an idle one belongs to nobody. */
  openConnections(): number {
    return this.#connections.size
  }

  get awaitClosed(): Effect.Effect<void> {
    return this.#changes.awaitUntil(() => this.#connections.size === 0)
  }

  /** Breaks what is in progress. */
  close(): void {
    for (const connection of this.#connections) connection.break("close")
  }
}

export const spacesPath = "/spaces/"

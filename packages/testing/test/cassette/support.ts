import * as Cassette from "@effect-claude/testing/Cassette"
import * as CassetteFile from "@effect-claude/testing/CassetteFile"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"

/** Runs with a file of its own, in a folder that is gone afterwards. */
export const withFile = <A, E>(
  use: (file: string) => Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>
): Effect.Effect<A, E> =>
  Effect.gen(function*() {
    const fileSystem = yield* FileSystem.FileSystem
    const folder = yield* Effect.orDie(fileSystem.makeTempDirectoryScoped())
    return yield* use(`${folder}/cassettes/one.json`)
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

export const textOf = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fileSystem) => Effect.orDie(fileSystem.readFileString(file)))

export const recordingOf = (file: string) => Effect.flatMap(textOf(file), CassetteFile.decodeJson)

export const writeText = (file: string, text: string) =>
  Effect.gen(function*() {
    const fileSystem = yield* FileSystem.FileSystem
    yield* fileSystem.makeDirectory(file.replace(/\/[^/]*$/, ""), { recursive: true })
    yield* fileSystem.writeFileString(file, text)
  }).pipe(Effect.orDie)

export const url = "https://api.anthropic.com/v1/messages"

export type Fetch = typeof globalThis.fetch

export const post = (fetch: Fetch, body: unknown, init: RequestInit = {}) =>
  fetch(url, { method: "POST", body: JSON.stringify(body), ...init })

/** Everything of a response that a client can see, or of the failure in its place. */
export const seen = async (call: () => Promise<Response>) => {
  try {
    const response = await call()
    const { headers, status, statusText } = response
    const head = { status, statusText, headers: Object.fromEntries(headers) }
    const chunks: Array<string> = []
    try {
      for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk).toString("hex"))
      return { ...head, hasBody: response.body !== null, chunks }
    } catch (thrown) {
      return { ...head, chunks, thrown: chain(thrown) }
    }
  } catch (thrown) {
    return { thrown: chain(thrown) }
  }
}

/** An error and its causes, as far as anybody decides by them. */
export const chain = (thrown: unknown): ReadonlyArray<unknown> => {
  if (!(thrown instanceof Error)) return []
  const { cause, message, name } = thrown
  return [
    {
      class: Object.prototype.toString.call(thrown),
      type: thrown instanceof TypeError,
      name,
      message,
      code: (thrown as { code?: unknown }).code
    },
    ...chain(cause)
  ]
}

/** Records what a stub answers, in a scope that is closed again. */
export const recordWith = <A>(
  options: Cassette.RecordOptions,
  use: (fetch: Fetch) => Promise<A>
) => Effect.scoped(Effect.flatMap(Cassette.record(options), ({ fetch }) => Effect.promise(() => use(fetch))))

export const replayWith = <A>(
  options: Cassette.ReplayOptions,
  use: (fetch: Fetch) => Promise<A>
) => Effect.scoped(Effect.flatMap(Cassette.replay(options), ({ fetch }) => Effect.promise(() => use(fetch))))

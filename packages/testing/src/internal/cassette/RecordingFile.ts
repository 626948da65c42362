import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as PlatformError from "effect/PlatformError"
import { randomUUID } from "node:crypto"
import { CassetteError } from "../../CassetteError.ts"
import type { Recording } from "./RecordingSchema.ts"
import { decodeText, encodeText } from "./RecordingText.ts"

const refused = (file: string, what: string) => (cause: PlatformError.PlatformError) =>
  new CassetteError({
    message: `${file}: the cassette cannot be ${what} (${cause.message})`,
    reason: "System",
    file,
    cause
  })

const missing = (file: string): CassetteError =>
  new CassetteError({
    message:
      `${file}: there is no such cassette. Record it once against the real API: set CASSETTE_MODE=record and a key `
      + `(ANTHROPIC_API_KEY), or the option mode: "record"`,
    reason: "Missing",
    file
  })

/** The recording of a file; `undefined` where there is no such file. */
export const readIfThere = (
  file: string
): Effect.Effect<Recording | undefined, CassetteError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fileSystem = yield* FileSystem.FileSystem
    const text = yield* fileSystem.readFileString(file).pipe(
      Effect.catch((error) =>
        error.reason._tag === "NotFound" ? Effect.undefined : Effect.fail(refused(file, "read")(error))
      )
    )
    if (text === undefined) return undefined
    return yield* Effect.mapError(
      Effect.fromResult(decodeText(text)),
      (mistakes) => new CassetteError({ message: `${file}: ${mistakes}`, reason: "Invalid", file })
    )
  })

export const read = (file: string): Effect.Effect<Recording, CassetteError, FileSystem.FileSystem> =>
  Effect.flatMap(
    readIfThere(file),
    (recording) => recording === undefined ? Effect.fail(missing(file)) : Effect.succeed(recording)
  )

const directoryOf = (file: string): string => /^(.*)[\\/][^\\/]*$/s.exec(file)?.[1] ?? "."

/** Makes the folder, so that a file that cannot be written is known before anything is paid for. */
export const prepare = (file: string): Effect.Effect<void, CassetteError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fileSystem = yield* FileSystem.FileSystem
    const directory = directoryOf(file)
    if (directory !== "") yield* fileSystem.makeDirectory(directory, { recursive: true })
  }).pipe(Effect.mapError(refused(file, "written")))

/** Writes all of a file or nothing: whoever reads it meanwhile, or after a crash, finds the one of before. */
export const write = (
  file: string,
  recording: Recording
): Effect.Effect<void, CassetteError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fileSystem = yield* FileSystem.FileSystem
    // In the same folder, since a file is moved as a whole only within one file system.
    const temporary = `${file}.${randomUUID()}.tmp`
    yield* fileSystem.writeFileString(temporary, encodeText(recording)).pipe(
      Effect.andThen(fileSystem.rename(temporary, file)),
      Effect.onError(() => Effect.ignore(fileSystem.remove(temporary, { force: true })))
    )
  }).pipe(Effect.mapError(refused(file, "written")))

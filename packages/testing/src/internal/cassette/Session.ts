import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { CassetteShape, RecordOptions, ReplayOptions } from "../../Cassette.ts"
import { CassetteError } from "../../CassetteError.ts"
import { type CapturedRequest, captureRequest } from "./CapturedRequest.ts"
import type { FindMismatch } from "./DefectiveMismatch.ts"
import { Mismatches } from "./Mismatches.ts"
import { Player } from "./Player.ts"
import { type Fetch, Recorder } from "./Recorder.ts"
import * as RecordingFile from "./RecordingFile.ts"
import { type Exchange, format, type Recording, version } from "./RecordingSchema.ts"
import type { Redaction } from "./Redaction.ts"
import { contradiction, redactionOf, speedOf } from "./Settings.ts"
import { Tape, titleOf } from "./Tape.ts"

/** A cassette in use. */
export interface Session {
  readonly shape: CassetteShape
  readonly findMismatch: FindMismatch
}

type Opened = Effect.Effect<Session, CassetteError, FileSystem.FileSystem | Scope.Scope>

const recordingOf = (exchanges: ReadonlyArray<Exchange>, { digest, prompts }: Redaction): Recording => ({
  format,
  version,
  prompts,
  digest: digest.algorithm,
  ...(digest.check === undefined ? undefined : { digestCheck: digest.check }),
  exchanges
})

/** A `fetch` for calls that come at the same time, answered in their order. */
const fetchOf = (
  answer: (request: CapturedRequest, input: RequestInfo | URL, init: RequestInit | undefined) => Promise<Response>
): Fetch =>
async (input, init) => {
  const capture = captureRequest(input, init)
  const { init: readable, request } = capture instanceof Promise ? await capture : capture
  return answer(request, input, readable)
}

const recorderOf = (options: RecordOptions, fallback: Fetch | undefined): Effect.Effect<Recorder> =>
  Effect.map(Clock.Clock, (clock) => new Recorder(options.fetch ?? fallback ?? globalThis.fetch, clock))

/** Records whatever passes, and writes it when the scope closes, however it does. */
export const openRecord = (options: RecordOptions, fallback?: Fetch): Opened =>
  Effect.gen(function*() {
    const { file } = options
    yield* RecordingFile.prepare(file)
    const redaction = redactionOf(options)
    const recorder = yield* recorderOf(options, fallback)
    const exchanges = () => recorder.exchanges.map((exchange) => redaction.exchange(exchange, recorder.now))
    yield* atEnd(Effect.suspend(() => RecordingFile.write(file, recordingOf(exchanges(), redaction))))
    return {
      shape: {
        mode: "record",
        file,
        fetch: fetchOf((request, input, init) => {
          redaction.learn(request)
          return recorder.send(request, input, init)
        }),
        exchanges: Effect.sync(exchanges),
        unused: Effect.succeed([]),
        mismatches: Effect.succeed([])
      },
      findMismatch: () => undefined
    }
  })

/** Answers from the file, and never asks anybody else. */
export const openReplay = (options: ReplayOptions): Opened =>
  Effect.gen(function*() {
    const { file } = options
    const recording = yield* RecordingFile.read(file)
    const redaction = redactionOf({
      file,
      secret: options.secret,
      patterns: options.patterns,
      prompts: recording.prompts
    })
    const settings = contradiction(recording, redaction, file)
    if (settings !== undefined) return yield* settings
    const { exchanges } = recording
    const tape = tapeOf(exchanges, options, redaction)
    const mismatches = new Mismatches(file)
    const player = yield* playerOf(options, redaction, mismatches)
    const strict = options.strict ?? true
    yield* Effect.addFinalizer((exit) =>
      strict && Exit.isSuccess(exit) ? complaint(file, exchanges, mismatches, tape.unused) : Effect.void
    )
    return {
      shape: {
        mode: "replay",
        file,
        fetch: fetchOf(async (request) => {
          request.signal?.throwIfAborted()
          // What the recording took out has to be missing here too.
          redaction.learn(request)
          const stored = redaction.request(request)
          const exchange = tape.take(stored)
          if (exchange === undefined) throw mismatches.none(stored, tape.explain(stored))
          return player.play(exchange, request)
        }),
        exchanges: Effect.succeed(exchanges),
        unused: Effect.sync(() => exchanges.filter((_, index) => tape.unused.includes(index))),
        mismatches: Effect.sync(() => [...mismatches.all])
      },
      findMismatch: mismatches.find
    }
  })

/** Answers from the file what is on it, and records the rest behind it. */
export const openAuto = (options: RecordOptions & ReplayOptions, fallback?: Fetch): Opened =>
  Effect.gen(function*() {
    const { file } = options
    yield* RecordingFile.prepare(file)
    const recording = yield* RecordingFile.readIfThere(file)
    const redaction = redactionOf({ ...options, prompts: options.prompts ?? recording?.prompts })
    const exchangesOf = (found: Recording | undefined): Effect.Effect<ReadonlyArray<Exchange>, CassetteError> => {
      if (found === undefined) return Effect.succeed([])
      const settings = contradiction(found, redaction, file) ?? otherPrompts(found, redaction, file)
      return settings === undefined ? Effect.succeed(found.exchanges) : Effect.fail(settings)
    }
    const before = yield* exchangesOf(recording)
    const tape = tapeOf(before, options, redaction)
    const mismatches = new Mismatches(file)
    const player = yield* playerOf(options, redaction, mismatches)
    const recorder = yield* recorderOf(options, fallback)
    const strict = options.strict ?? true
    const added = () => recorder.exchanges.map((exchange) => redaction.exchange(exchange, recorder.now))
    yield* atEnd(
      adding.withPermit(Effect.gen(function*() {
        if (recorder.exchanges.length === 0) return
        // Another test may have added to it since.
        const others = yield* Effect.flatMap(RecordingFile.readIfThere(file), exchangesOf)
        yield* RecordingFile.write(file, recordingOf([...others, ...added()], redaction))
      }))
    )
    yield* Effect.addFinalizer((exit) =>
      strict && Exit.isSuccess(exit) ? complaint(file, before, mismatches, []) : Effect.void
    )
    return {
      shape: {
        mode: "auto",
        file,
        fetch: fetchOf(async (request, input, init) => {
          request.signal?.throwIfAborted()
          redaction.learn(request)
          const exchange = tape.take(redaction.request(request))
          if (exchange !== undefined) return player.play(exchange, request)
          return recorder.send(request, input, init)
        }),
        exchanges: Effect.sync(() => [...before, ...added()]),
        unused: Effect.sync(() => before.filter((_, index) => tape.unused.includes(index))),
        mismatches: Effect.sync(() => [...mismatches.all])
      },
      findMismatch: mismatches.find
    }
  })

const tapeOf = (
  exchanges: ReadonlyArray<Exchange>,
  { ignore = [], repeat = false }: ReplayOptions,
  { digest }: Redaction
): Tape => new Tape(exchanges, { ignore: ignore.flatMap((path) => [path, digest.path(path)]), repeat })

const playerOf = (
  options: ReplayOptions,
  redaction: Redaction,
  mismatches: Mismatches
): Effect.Effect<Player, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    return new Player({
      clock,
      fork: (effect) => fork(effect),
      speed: speedOf(options),
      shiftTimes: options.shiftTimes ?? true,
      overrun: (request, what) => mismatches.overrun(redaction.request(request), what)
    })
  })

/** One at a time, so that nobody writes over what another one adds meanwhile. */
const adding = Semaphore.makeUnsafe(1)

const atEnd = (write: Effect.Effect<void, CassetteError, FileSystem.FileSystem>) =>
  Effect.contextWith((context: Context.Context<FileSystem.FileSystem>) =>
    Effect.addFinalizer(() => write.pipe(Effect.orDie, Effect.provide(context)))
  )

const otherPrompts = (recording: Recording, { prompts }: Redaction, file: string): CassetteError | undefined =>
  recording.prompts === prompts ? undefined : new CassetteError({
    message:
      `${file}: recorded with prompts: "${recording.prompts}", which cannot be mixed with "${prompts}": record it again`,
    reason: "Settings",
    file
  })

/** What a test that succeeded is not told otherwise: requests that somebody found another answer for, answers nobody wanted. */
const complaint = (
  file: string,
  exchanges: ReadonlyArray<Exchange>,
  { all: [first, ...others] }: Mismatches,
  unused: ReadonlyArray<number>
): Effect.Effect<void> => {
  if (first !== undefined) {
    return Effect.die(
      others.length === 0 ? first : new Error(`${first.message}\n(and ${others.length} more)`, { cause: first })
    )
  }
  if (unused.length === 0) return Effect.void
  const lines = unused.flatMap((index) => {
    const exchange = exchanges[index]
    return exchange === undefined ? [] : [`  ${index + 1}. ${titleOf(exchange.request)}`]
  })
  return Effect.die(
    new Error(
      `${file}: ${unused.length} of ${exchanges.length} exchanges were not asked for:\n${lines.join("\n")}\n`
        + `Record the cassette again, or set the option strict: false`
    )
  )
}

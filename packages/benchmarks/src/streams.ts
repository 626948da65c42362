import { Anthropic } from "@anthropic-ai/sdk"
import * as AnthropicClient from "@effect-claude/client/AnthropicClient"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import { ClaudeService, type ClaudeServiceShape } from "@effect-claude/client/ClaudeService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { compare, type Contestant, line, lines } from "./compare.ts"
import { heap, kilobytes } from "./heap.ts"
import { request } from "./stubs.ts"

const deltas = 1000

const sse = (event: { readonly type: string }): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const opening = [
  {
    type: "message_start",
    message: {
      id: "msg_01",
      type: "message",
      role: "assistant",
      model: request.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 12, output_tokens: 1 }
    }
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }
].map(sse)

const words = Array.from(
  { length: deltas },
  (_, word) =>
    sse({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: `word ${word} ` } } as {
      readonly type: string
    })
)

const closing = [
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: deltas } },
  { type: "message_stop" }
].map(sse)

const events = [...opening, ...words, ...closing]

/** The answer in pieces of so many events, as a connection gives them. */
const inPieces = (size: number): ReadonlyArray<Uint8Array> =>
  Array.from(
    { length: Math.ceil(events.length / size) },
    (_, piece) => new TextEncoder().encode(events.slice(piece * size, (piece + 1) * size).join(""))
  )

const headers = { "content-type": "text/event-stream", "request-id": "req_01" }

const clientOf = (body: () => ReadableStream<Uint8Array>): Anthropic =>
  new Anthropic({
    apiKey: "sk-ant-benchmark",
    openTelemetry: false,
    fetch: () => Promise.resolve(new Response(body(), { headers }))
  })

const answering = (pieces: ReadonlyArray<Uint8Array>): Anthropic =>
  clientOf(() => {
    let next = 0
    return new ReadableStream({
      pull: (controller) => {
        const piece = pieces[next++]
        if (piece === undefined) controller.close()
        else controller.enqueue(piece)
      }
    })
  })

const serviceOf = (client: Anthropic, pipeline?: ClaudeLayer.Combinator) => {
  const bare = AnthropicClient.fromClient(client)
  return Effect.map(
    Layer.build(pipeline === undefined ? bare : pipeline(bare)),
    (context) => Context.get(context, ClaudeService)
  )
}

const standard = ClaudeLayer.standard({ rateLimiter: false, telemetry: false })
const recovering = ClaudeLayer.standard({ rateLimiter: false, telemetry: false, streamRecovery: {} })

const drainedBySdk = async (client: Anthropic): Promise<void> => {
  let seen = 0
  for await (const _ of await client.messages.create({ ...request, stream: true }, { maxRetries: 0 })) seen++
  if (seen !== events.length) throw new Error(`The SDK gave ${seen} events`)
}

const drained = ({ streamMessage }: ClaudeServiceShape): Promise<void> => {
  let seen = 0
  return Effect.runPromise(
    Effect.andThen(
      Stream.runForEachArray(streamMessage(request), (chunk) => Effect.sync(() => seen += chunk.length)),
      Effect.sync(() => {
        if (seen !== events.length) throw new Error(`The client gave ${seen} events`)
      })
    )
  )
}

const firstBySdk = async (client: Anthropic): Promise<void> => {
  for await (const _ of await client.messages.create({ ...request, stream: true }, { maxRetries: 0 })) return
}

const first = ({ streamMessage }: ClaudeServiceShape): Promise<void> =>
  Effect.runPromise(Stream.runDrain(Stream.take(streamMessage(request), 1)))

const pipelines = (client: Anthropic) =>
  Effect.all({
    bare: serviceOf(client),
    standard: serviceOf(client, standard),
    recovering: serviceOf(client, recovering)
  })

const contestants = (
  name: string,
  client: Anthropic,
  bySdk: (client: Anthropic) => Promise<void>,
  byUs: (service: ClaudeServiceShape) => Promise<void>,
  calls: number
) =>
  Effect.map(pipelines(client), ({ bare, recovering, standard }): ReadonlyArray<Contestant> => [
    { name: `plain SDK, ${name}`, calls, run: () => bySdk(client) },
    { name: `AnthropicClient, ${name}`, calls, run: () => byUs(bare) },
    { name: `standard(), ${name}`, calls, run: () => byUs(standard) },
    { name: `standard() with streamRecovery, ${name}`, calls, run: () => byUs(recovering) }
  ])

const atOnce = 1000

/** Bodies that have given the first events and wait with the others. */
const waiting = clientOf(() =>
  new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode(events.slice(0, 50).join("")))
    }
  })
)

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const measure = async (start: () => Promise<() => Promise<unknown>>): Promise<number> => {
  // Once beforehand, so that code and caches are there already.
  await (await start())()
  const before = await heap()
  const stop = await start()
  await turns()
  const during = await heap()
  await stop()
  return (during - before) / atOnce
}

const heldBySdk = () =>
  measure(async () => {
    const streams = await Promise.all(
      Array.from({ length: atOnce }, () => waiting.messages.create({ ...request, stream: true }, { maxRetries: 0 }))
    )
    const reading = streams.map(async (stream) => {
      for await (const _ of stream);
    })
    return () => {
      for (const { controller } of streams) controller.abort()
      return Promise.race([Promise.all(reading), turns()])
    }
  })

const held = ({ streamMessage }: ClaudeServiceShape) =>
  measure(async () => {
    const reading = Array.from({ length: atOnce }, () => Effect.runFork(Stream.runDrain(streamMessage(request))))
    await turns()
    return () => Effect.runPromise(Fiber.interruptAll(reading))
  })

const memory = ({ bare, recovering, standard }: Effect.Success<ReturnType<typeof pipelines>>) => async () => {
  const rows: Array<string> = []
  rows.push(line("plain SDK, a stream that waits", kilobytes(await heldBySdk())))
  rows.push(line("AnthropicClient, a stream that waits", kilobytes(await held(bare))))
  rows.push(line("standard(), a stream that waits", kilobytes(await held(standard))))
  rows.push(line("standard() with streamRecovery, a stream that waits", kilobytes(await held(recovering))))
  return rows
}

/** What a stream costs: each of its events, the time to the first one, and what a thousand of them hold. */
export const benchStreams = (): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const rows: Array<string> = []
    const groups = [
      contestants("an event, 1 a piece", answering(inPieces(1)), drainedBySdk, drained, events.length),
      contestants("an event, 16 a piece", answering(inPieces(16)), drainedBySdk, drained, events.length),
      contestants("the first event", answering(inPieces(1)), firstBySdk, first, 1)
    ]
    for (const group of groups) {
      const measured = yield* Effect.flatMap(group, (all) => Effect.promise(() => compare(all)))
      rows.push(...lines(measured), "")
    }
    const services = yield* pipelines(waiting)
    rows.push(...yield* Effect.promise(memory(services)))
    return rows
  })))

import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { line, median } from "./compare.ts"
import { type RawAnswer, RawConnection } from "./RawConnection.ts"
import { request } from "./stubs.ts"

const rounds = 7
const connections = 32
const callsInRound = 10_000
const streamsAtOnce = 1000

const program = fileURLToPath(new URL("fakeApiServer.ts", import.meta.url))

/** What a server has used so far: memory at most, in kilobytes, and microseconds of processor time. */
interface Usage {
  readonly peak: number
  readonly cpu: number
}

interface Server {
  readonly url: string
  readonly usage: () => Promise<Usage>
  readonly stop: () => Promise<Usage>
}

const message = async (child: ChildProcess): Promise<unknown> => {
  const received = await once(child, "message") as ReadonlyArray<unknown>
  return received[0]
}

/** A server in a process of its own, so that it has a core to itself; the client is this process. */
const serve = async (plan: object): Promise<Server> => {
  const child = fork(program, [JSON.stringify(plan)], {
    execArgv: process.env["FAKE_API_NODE_FLAGS"]?.split(" ") ?? []
  })
  const url = String(await message(child))
  const ask = async (what: "usage" | "stop"): Promise<Usage> => {
    const answer = message(child)
    child.send(what)
    return await answer as Usage
  }
  return {
    url,
    usage: () => ask("usage"),
    stop: async () => {
      const usage = await ask("stop")
      await once(child, "exit")
      return usage
    }
  }
}

const post = (url: string, stream: boolean): string => {
  const body = JSON.stringify({ ...request, stream })
  return [
    "POST /v1/messages HTTP/1.1",
    `host: ${new URL(url).host}`,
    "x-api-key: sk-ant-benchmark",
    "anthropic-version: 2023-06-01",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body
  ].join("\r\n")
}

const check = (condition: boolean, answer: RawAnswer): void => {
  if (!condition) throw new Error(`Not the answer that was expected:\n${answer.head}\n\n${answer.body}`)
}

/** Request ids that were seen, so that no answer can stand for two requests. */
const requestIds = () => {
  const seen = new Set<string>()
  return (answer: RawAnswer): void => {
    const id = /\r\nrequest-id: (\S+)/i.exec(answer.head)?.[1]
    check(id !== undefined && !seen.has(id), answer)
    seen.add(id ?? "")
  }
}

const text = "This answer comes from a fake Claude API."

const checkMessage = (answer: RawAnswer): void => {
  check(answer.head.startsWith("HTTP/1.1 200 ") && answer.head.includes("anthropic-ratelimit-tokens-reset"), answer)
  const { content, stop_reason } = JSON.parse(answer.body) as {
    readonly content?: ReadonlyArray<{ readonly text?: string }>
    readonly stop_reason?: string
  }
  check(content?.[0]?.text === text && stop_reason === "end_turn", answer)
}

const checkStream = (answer: RawAnswer): void => {
  const said = [...answer.body.matchAll(/"text_delta","text":"([^"]*)"/g)].map(([, word]) => word).join("")
  check(answer.head.startsWith("HTTP/1.1 200 ") && said === text, answer)
  check(answer.body.includes("event: message_stop\n"), answer)
}

/** So many calls over these connections, one after another on each; the seconds that took. */
const ask = async (
  pool: ReadonlyArray<RawConnection>,
  calls: number,
  request: string,
  seen: (answer: RawAnswer) => void
): Promise<number> => {
  let left = calls
  const startedAt = performance.now()
  await Promise.all(pool.map(async (connection) => {
    while (left-- > 0) seen(await connection.ask(request))
  }))
  return (performance.now() - startedAt) / 1000
}

const range = (values: ReadonlyArray<number>): string =>
  `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`

/** Answers a second, round by round; the first one only warms up. */
const throughput = async (name: string, plan: object, stream: boolean, calls: number): Promise<string> => {
  const server = await serve(plan)
  const pool = Array.from({ length: connections }, () => new RawConnection(server.url))
  const unique = requestIds()
  const rates: Array<number> = []
  const costs: Array<number> = []
  for (let round = 0; round <= rounds; round++) {
    const before = await server.usage()
    const seconds = await ask(pool, calls, post(server.url, stream), (answer) => {
      unique(answer)
      if (stream) checkStream(answer)
      else checkMessage(answer)
    })
    if (round === 0) continue
    rates.push(calls / seconds)
    costs.push(((await server.usage()).cpu - before.cpu) / calls)
  }
  for (const connection of pool) connection.close()
  const { peak } = await server.stop()
  return line(name, `${Math.round(median(rates))} /s`, `${Math.round(median(costs))} us`)
    + `   (${range(rates)} /s, ${range(costs)} us of processor time each, peak ${Math.round(peak / 1024)} MB)`
}

const pause = 300
const events = 13

/** A thousand streams that are all open at the same time, an event every 300 ms on each. */
const atOnce = async (): Promise<string> => {
  const server = await serve({ after: { kind: "message", eventDelay: pause } })
  const first: Array<number> = []
  const total: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    const unique = requestIds()
    const pool = Array.from({ length: streamsAtOnce }, () => new RawConnection(server.url))
    let open = 0
    let mostOpen = 0
    const startedAt = performance.now()
    await Promise.all(pool.map(async (connection) => {
      open++
      mostOpen = Math.max(mostOpen, open)
      const answer = await connection.ask(post(server.url, true))
      open--
      unique(answer)
      checkStream(answer)
      first.push(answer.firstAfter)
    }))
    total.push(performance.now() - startedAt)
    // All of them had begun before the first one was over.
    if (mostOpen !== streamsAtOnce) throw new Error(`Only ${mostOpen} streams were open at once`)
    for (const connection of pool) connection.close()
  }
  const { cpu, peak } = await server.stop()
  return line(`${streamsAtOnce} streams at once`, `${Math.round(median(total))} ms`)
    + `   (${range(total)} ms, ${(events - 1) * pause} of them pauses; first event after ${
      Math.round(median(first))
    } ms, `
    + `at most ${Math.round(Math.max(...first))}; ${Math.round(cpu / 1000 / rounds)} ms of processor time, `
    + `peak ${Math.round(peak / 1024)} MB)`
}

/** What the fake API can serve, to a client that does next to nothing and checks every answer. */
export const benchFakeApi = async (): Promise<ReadonlyArray<string>> => [
  await throughput(`JSON calls, ${connections} connections`, {}, false, callsInRound),
  await throughput(`whole streams of ${events} events`, {}, true, callsInRound / 4),
  await atOnce()
]

/** The circuit breaker told again, without its code: every key has its circuit for ever, and nothing is forgotten or fast. */

export interface Options {
  readonly failures: number | undefined
  readonly ratio: { readonly threshold: number; readonly window: number; readonly minimumCalls: number } | undefined
  readonly openFor: "fixed" | "growing" | "schedule"
  readonly maxServerOpenFor: number
  readonly closeAfter: number
  readonly probeLease: number
}

export type Result =
  | { readonly _tag: "success" }
  | { readonly _tag: "failure"; readonly after: number | undefined }
  | { readonly _tag: "alive" }
  | { readonly _tag: "nothing" }
  | { readonly _tag: "trip"; readonly scope: "key" | "all"; readonly openFor: number | undefined }

export interface Rejected {
  readonly reason: "open" | "probing" | "isolated" | "tripped"
  readonly remaining: number | undefined
  readonly callers: number
}

export interface ModelCall {
  readonly key: string
  admitted: number
  /** False once it was rejected at a recheck, or lost its place. */
  counts: boolean
}

interface ModelCircuit {
  state: "Closed" | "Open" | "HalfOpen" | "Isolated"
  changed: number
  results: Array<{ readonly at: number; readonly failed: boolean; readonly order: number; readonly admitted: number }>
  row: number
  outageSince: number
  openFor: number
  until: number
  closedAt: number
  callers: number
  tripped: boolean
  probe: { readonly call: ModelCall; since: number } | undefined
  good: number
}

const newCircuit = (): ModelCircuit => ({
  state: "Closed",
  changed: 0,
  results: [],
  row: 0,
  outageSince: 0,
  openFor: 0,
  until: 0,
  closedAt: 0,
  callers: 0,
  tripped: false,
  probe: undefined,
  good: 0
})

export const makeModel = (options: Options) => {
  let now = 0
  let order = 0
  const all = newCircuit()
  const circuits = new Map<string, ModelCircuit>()
  const of = (key: string): ModelCircuit => {
    const circuit = circuits.get(key) ?? newCircuit()
    circuits.set(key, circuit)
    return circuit
  }

  const change = (circuit: ModelCircuit, state: ModelCircuit["state"]) => {
    order += 1
    Object.assign(circuit, { state, changed: order, results: [], probe: undefined, good: 0, callers: 0 })
  }

  const open = (
    circuit: ModelCircuit,
    asked: { readonly after?: number | undefined; readonly openFor?: number | undefined }
  ) => {
    const flaps = circuit.row > 0 && (circuit.state !== "Closed" || now - circuit.closedAt < circuit.openFor)
    if (!flaps) Object.assign(circuit, { row: 0, outageSince: now })
    circuit.row += 1
    const outage = now - circuit.outageSince
    const own = options.openFor === "fixed"
      ? 5000
      : options.openFor === "growing"
      ? Math.min(2000, Math.max(1000, outage / 5))
      : 1000 * 2 ** (circuit.row - 1)
    circuit.openFor = Math.max(asked.openFor ?? own, Math.min(asked.after ?? 0, options.maxServerOpenFor))
    change(circuit, "Open")
    circuit.until = now + circuit.openFor
  }

  const close = (circuit: ModelCircuit) => {
    change(circuit, "Closed")
    Object.assign(circuit, { closedAt: now, tripped: false })
  }

  const holdsPlace = (circuit: ModelCircuit, call: ModelCall) =>
    circuit.probe !== undefined && circuit.probe.call !== call && now - circuit.probe.since < options.probeLease

  const refusal = (circuit: ModelCircuit, call: ModelCall): Rejected | undefined => {
    const reason = circuit.state === "Isolated"
      ? "isolated" as const
      : circuit.state === "Open" && now < circuit.until
      ? "open" as const
      : circuit.state === "HalfOpen" && holdsPlace(circuit, call)
      ? "probing" as const
      : undefined
    if (reason === undefined) return undefined
    circuit.callers += 1
    return {
      reason: circuit.tripped ? "tripped" : reason,
      remaining: reason === "open" ? circuit.until - now : undefined,
      callers: circuit.callers
    }
  }

  const take = (circuit: ModelCircuit, call: ModelCall) => {
    if (circuit.state === "Closed") return
    if (circuit.probe !== undefined && circuit.probe.call !== call) circuit.probe.call.counts = false
    circuit.state = "HalfOpen"
    circuit.probe = { call, since: now }
  }

  const trips = (circuit: ModelCircuit): boolean => {
    const { failures, ratio } = options
    const last = failures === undefined ? [] : circuit.results.slice(-failures)
    const row = circuit.results.slice(circuit.results.findLastIndex(({ failed }) => !failed) + 1)
    const isBurst = row.every(({ admitted, at }) => admitted <= (row[0]?.order ?? 0) && at < (row[0]?.at ?? 0) + 1000)
    if (
      failures !== undefined && last.length === failures && last.every(({ failed }) => failed)
      && (failures === 1 || !isBurst)
    ) return true
    if (ratio === undefined) return false
    const part = (at: number) => Math.floor(at / (ratio.window / 10))
    const recent = circuit.results.filter(({ at }) => part(at) > part(now) - 10)
    const failed = recent.filter((result) => result.failed).length
    return recent.length >= ratio.minimumCalls && failed >= ratio.threshold * recent.length
  }

  const judge = (circuit: ModelCircuit, call: ModelCall, result: Result) => {
    if (circuit.probe?.call === call) {
      circuit.probe = undefined
      if (result._tag === "failure") open(circuit, { after: result.after })
      if (result._tag === "trip") {
        open(circuit, { openFor: result.openFor })
        circuit.tripped = true
      }
      if (result._tag === "success" || result._tag === "alive") {
        circuit.good += 1
        if (circuit.good === options.closeAfter) close(circuit)
      }
      return
    }
    if (circuit.state !== "Closed" || call.admitted < circuit.changed) return
    if (result._tag === "trip") {
      open(circuit, { openFor: result.openFor })
      circuit.tripped = true
    }
    if (circuit !== all && (result._tag === "success" || result._tag === "failure")) {
      circuit.results.push({ at: now, failed: result._tag === "failure", order, admitted: call.admitted })
      if (result._tag === "failure" && trips(circuit)) open(circuit, { after: result.after })
    }
  }

  return {
    advance: (time: number) => {
      now += time
    },
    newCall: (key: string): ModelCall => ({ key, admitted: 0, counts: true }),
    /** Also what a recheck does. */
    admit: (call: ModelCall): Rejected | undefined => {
      const circuit = of(call.key)
      const rejected = refusal(all, call) ?? refusal(circuit, call)
      if (rejected !== undefined) {
        call.counts = false
        for (const place of [all, circuit]) if (place.probe?.call === call) place.probe = undefined
        return rejected
      }
      take(all, call)
      take(circuit, call)
      order += 1
      call.admitted = order
      call.counts = true
      return undefined
    },
    finish: (call: ModelCall, result: Result) => {
      if (!call.counts) return
      const ofAll = result._tag === "trip" && result.scope === "all"
      const ofKey = result._tag === "trip" && result.scope === "key"
      judge(all, call, ofKey ? { _tag: "nothing" } : result)
      judge(of(call.key), call, ofAll ? { _tag: "nothing" } : result)
    },
    isolate: (key: string | undefined) => {
      const circuit = key === undefined ? all : of(key)
      if (circuit.state === "Isolated") return
      change(circuit, "Isolated")
      Object.assign(circuit, { row: 0, tripped: false })
    },
    reset: (key: string | undefined) => {
      for (const circuit of key === undefined ? [all, ...circuits.values()] : [of(key)]) {
        close(circuit)
        circuit.row = 0
      }
    },
    state: (key: string) => {
      const circuit = all.state === "Closed" ? of(key) : all
      const firstOfRow = circuit.results.findLastIndex(({ failed }) => !failed) + 1
      return {
        _tag: circuit.state,
        failures: circuit.results.length - firstOfRow,
        remaining: Math.max(0, circuit.until - now),
        probing: circuit.probe !== undefined,
        goodProbes: circuit.good,
        openings: circuit.row,
        tripped: circuit.tripped
      }
    }
  }
}

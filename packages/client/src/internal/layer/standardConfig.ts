import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Config from "effect/Config"
import { SourceError } from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ClaudeSchedule from "../../ClaudeSchedule.ts"
import type { PolicyLayer } from "./PolicyLayer.ts"
import { standard, type StandardErrors, type StandardOptions, type StandardServices } from "./standard.ts"

type Environment = Readonly<Record<string, string | undefined>>

/** What a variable may say, and how an error words it. */
interface Form<A> {
  readonly expected: string
  readonly parse: (text: string) => A | undefined
}

const time: Form<Duration.Duration> = {
  expected: `a duration longer than zero, such as "30 seconds"`,
  // A number would be milliseconds to one reader and seconds to another.
  parse: (text) =>
    Option.getOrUndefined(
      Option.filter(Duration.fromInput(text as Duration.Input), (value) => Duration.isGreaterThan(value, Duration.zero))
    )
}

const count: Form<number> = {
  expected: "a whole number of at least 1",
  parse: (text) => /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined
}

const word = <const Word extends string>(value: Word): Form<Word> => ({
  expected: `"${value}"`,
  parse: (text) => text.toLowerCase() === value ? value : undefined
})

const modelNames: Form<ReadonlyArray<string>> = {
  expected: "names of models with commas between them",
  parse: (text) => {
    const names = text.split(",").map((name) => name.trim())
    return names.every((name) => /^[^\s;]+$/.test(name)) ? names : undefined
  }
}

const oneOf = <A, B>(first: Form<A>, second: Form<B>): Form<A | B> => ({
  expected: `${first.expected} or ${second.expected}`,
  parse: (text) => first.parse(text) ?? second.parse(text)
})

const off = word("off")
const onOrOff = oneOf(word("on"), off)

const forms = {
  CLAUDE_DEADLINE: oneOf(time, off),
  CLAUDE_ATTEMPT_TIMEOUT: oneOf(time, off),
  CLAUDE_FIRST_EVENT_TIMEOUT: time,
  CLAUDE_IDLE_TIMEOUT: time,
  CLAUDE_STREAM_TIMEOUT: time,
  CLAUDE_RETRY_ATTEMPTS: oneOf(count, off),
  CLAUDE_RETRY_MAX_WAIT: time,
  CLAUDE_RETRY_BUDGET: oneOf(count, off),
  CLAUDE_HEDGE: oneOf(time, onOrOff),
  CLAUDE_CIRCUIT_BREAKER: onOrOff,
  CLAUDE_CIRCUIT_FAILURES: count,
  CLAUDE_CIRCUIT_OPEN_FOR: time,
  CLAUDE_RATE_LIMITER: onOrOff,
  CLAUDE_RATE_LIMIT_REQUESTS: count,
  CLAUDE_RATE_LIMIT_INPUT_TOKENS: count,
  CLAUDE_RATE_LIMIT_OUTPUT_TOKENS: count,
  CLAUDE_CONCURRENCY: oneOf(oneOf(count, word("adaptive")), off),
  CLAUDE_FALLBACK_MODELS: oneOf(off, modelNames),
  CLAUDE_CACHE_STALE_FOR: oneOf(time, off),
  CLAUDE_STREAM_RECOVERY: oneOf(oneOf(word("continue"), word("restart")), off),
  CLAUDE_TELEMETRY: onOrOff
} satisfies Record<string, Form<unknown>>

/** Variables that say how a part is, and mean nothing where the other variable switches that part off. */
const partOf: { readonly [Name in keyof typeof forms]?: keyof typeof forms } = {
  CLAUDE_FIRST_EVENT_TIMEOUT: "CLAUDE_ATTEMPT_TIMEOUT",
  CLAUDE_IDLE_TIMEOUT: "CLAUDE_ATTEMPT_TIMEOUT",
  CLAUDE_STREAM_TIMEOUT: "CLAUDE_ATTEMPT_TIMEOUT",
  CLAUDE_RETRY_MAX_WAIT: "CLAUDE_RETRY_ATTEMPTS",
  CLAUDE_CIRCUIT_FAILURES: "CLAUDE_CIRCUIT_BREAKER",
  CLAUDE_CIRCUIT_OPEN_FOR: "CLAUDE_CIRCUIT_BREAKER",
  CLAUDE_RATE_LIMIT_REQUESTS: "CLAUDE_RATE_LIMITER",
  CLAUDE_RATE_LIMIT_INPUT_TOKENS: "CLAUDE_RATE_LIMITER",
  CLAUDE_RATE_LIMIT_OUTPUT_TOKENS: "CLAUDE_RATE_LIMITER"
}

type Stated = { -readonly [Name in keyof typeof forms]?: Exclude<ReturnType<(typeof forms)[Name]["parse"]>, undefined> }

const refusal = (message: string): Config.ConfigError => new Config.ConfigError(new SourceError({ message }))

const variables = Object.keys(forms) as ReadonlyArray<keyof typeof forms>

const readAll: Config.Config<Environment> = Config.all(
  Object.fromEntries(variables.map((name) => [
    name,
    Config.map(Config.option(Config.String(name)), (text) => Option.getOrUndefined(text)?.trim() || undefined)
  ]))
)

/** What the variables say. One that is blank counts as not set. */
const stated = (environment: Environment): Stated => {
  const found: Record<string, unknown> = {}
  const mistakes: Array<string> = []
  for (const name of variables) {
    const text = environment[name]
    if (text === undefined) continue
    const { expected, parse }: Form<unknown> = forms[name]
    found[name] = parse(text)
    if (found[name] === undefined) mistakes.push(`${name} must be ${expected}, got ${JSON.stringify(text)}`)
  }
  // All of them at once, since each may cost a start.
  if (mistakes.length > 0) throw refusal(mistakes.join("; "))
  for (const name of variables) {
    const part = partOf[name]
    if (found[name] !== undefined && part !== undefined && found[part] === "off") {
      throw refusal(`${name} is set, and ${part} is off: one of the two must go`)
    }
  }
  // Each value came out of the form of its name.
  return found
}

/** Options of a part as the program states them, or none if it leaves the part out. */
const given = <A>(part: A | false | undefined): A | undefined => part === false ? undefined : part

const defined = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

/** What was stated for a part, over what the program says of it. Switching it on is enough to have it. */
const over = <A extends object>(
  part: A | false | undefined,
  isOff: boolean,
  isOn: boolean,
  values: Partial<A> & object
): A | false | undefined => {
  if (isOff) return false
  const found = defined({ ...values })
  if (Object.keys(found).length === 0 && !isOn) return part
  return { ...given(part), ...found } as A
}

const mergeRetry = (
  schedule: StandardOptions["retry"],
  { CLAUDE_RETRY_ATTEMPTS: attempts, CLAUDE_RETRY_MAX_WAIT: maxWait }: Stated
): StandardOptions["retry"] => {
  if (attempts === "off") return false
  if (attempts === undefined && maxWait === undefined) return schedule
  const stated = schedule ? RetrySchedule.optionsOf(schedule) : {}
  if (stated === undefined) {
    const name = attempts === undefined ? "CLAUDE_RETRY_MAX_WAIT" : "CLAUDE_RETRY_ATTEMPTS"
    throw refusal(
      `${name} is set, and the option "retry" is a schedule of the program's own, which has no such setting`
    )
  }
  return ClaudeSchedule.make({ ...stated, ...defined({ attempts, maxWait }) })
}

const merge = <E, R>(options: StandardOptions<E, R>, env: Stated): StandardOptions<E, R> => {
  const { CLAUDE_ATTEMPT_TIMEOUT: attempt, CLAUDE_CONCURRENCY: permits, CLAUDE_HEDGE: hedge } = env
  const { CLAUDE_STREAM_RECOVERY: recovery } = env
  const { CLAUDE_CACHE_STALE_FOR: staleFor, CLAUDE_FALLBACK_MODELS: models, CLAUDE_RETRY_BUDGET: capacity } = env
  // Who switches retries off at night need not know of the budget that the program has for them.
  const paysForNothing = env.CLAUDE_RETRY_ATTEMPTS === "off" && (hedge === undefined ? !options.hedge : hedge === "off")
  const limits = defined({
    requests: env.CLAUDE_RATE_LIMIT_REQUESTS,
    inputTokens: env.CLAUDE_RATE_LIMIT_INPUT_TOKENS,
    outputTokens: env.CLAUDE_RATE_LIMIT_OUTPUT_TOKENS
  })
  return {
    ...options,
    deadline: env.CLAUDE_DEADLINE === "off" ? false : env.CLAUDE_DEADLINE ?? options.deadline,
    attemptTimeout: over(options.attemptTimeout, attempt === "off", false, {
      attempt: attempt === "off" ? undefined : attempt,
      firstEvent: env.CLAUDE_FIRST_EVENT_TIMEOUT,
      idle: env.CLAUDE_IDLE_TIMEOUT,
      stream: env.CLAUDE_STREAM_TIMEOUT
    }),
    retry: mergeRetry(options.retry, env),
    retryBudget: over(
      paysForNothing && capacity === undefined ? undefined : options.retryBudget,
      capacity === "off",
      false,
      {
        capacity: capacity === "off" ? undefined : capacity
      }
    ),
    hedge: over(options.hedge, hedge === "off", hedge === "on", {
      delay: Duration.isDuration(hedge) ? hedge : undefined
    }),
    circuitBreaker: over(
      options.circuitBreaker,
      env.CLAUDE_CIRCUIT_BREAKER === "off",
      env.CLAUDE_CIRCUIT_BREAKER === "on",
      { failures: env.CLAUDE_CIRCUIT_FAILURES, openFor: env.CLAUDE_CIRCUIT_OPEN_FOR }
    ),
    rateLimiter: over(options.rateLimiter, env.CLAUDE_RATE_LIMITER === "off", env.CLAUDE_RATE_LIMITER === "on", {
      limits: Object.keys(limits).length === 0 ? undefined : { ...given(options.rateLimiter)?.limits, ...limits }
    }),
    // A limit that is fixed and one that adapts have different options; the one named replaces the other.
    concurrency: permits === "off"
      ? false
      : permits === undefined
      ? options.concurrency
      : permits === "adaptive"
      ? {}
      : { permits },
    fallback: models === "off"
      ? false
      : models === undefined
      ? options.fallback
      : { ...given(options.fallback), models },
    streamRecovery: over(options.streamRecovery, recovery === "off", false, {
      mode: recovery === "off" ? undefined : recovery
    }),
    cache: over(options.cache, staleFor === "off", false, { staleFor: staleFor === "off" ? undefined : staleFor }),
    telemetry: over(options.telemetry, env.CLAUDE_TELEMETRY === "off", env.CLAUDE_TELEMETRY === "on", {})
  }
}

/** The policies of the standard pipeline, with what the environment says over the options. */
export const standardConfig = <const Options extends StandardOptions<unknown, unknown>>(
  options: Options
): Effect.Effect<
  ReadonlyArray<PolicyLayer<StandardErrors<Options>, StandardServices<Options>>>,
  Config.ConfigError
> =>
  Effect.flatMap(readAll, (environment) =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(standard(merge(options, stated(environment))) as ReturnType<typeof standard<Options>>)
      } catch (cause) {
        if (cause instanceof Config.ConfigError) return Effect.fail(cause)
        const isSet = Object.values(environment).some((text) => text !== undefined)
        // What the program itself states wrongly is a bug of the program and no matter of its configuration.
        return cause instanceof RangeError && isSet ? Effect.fail(refusal(cause.message)) : Effect.die(cause)
      }
    }))

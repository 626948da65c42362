import { Anthropic, type ClientOptions } from "@anthropic-ai/sdk"
import * as Config from "effect/Config"
import { SourceError } from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Options } from "../AnthropicClient.ts"

// The value is not repeated: it may hold credentials.
const baseUrlForm = "must be a URL that starts with http:// or https://"

const isBaseUrl = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

/** Throws at options that contradict each other; `owner` is the function that was given them. */
export const checkOptions = (owner: string, options: Options): void => {
  if (options.apiKey !== undefined && options.authToken !== undefined) {
    throw new RangeError(`${owner}: pass "apiKey" or "authToken", not both`)
  }
  if (options.baseUrl !== undefined && !isBaseUrl(options.baseUrl)) {
    throw new RangeError(`${owner}: option "baseUrl" ${baseUrlForm}`)
  }
}

// With a credential of ours, `null` keeps the SDK from reading the other one from the environment. An absent key is left
// out altogether, since the SDK takes an explicit `undefined` for "look in the environment" and that is what is meant.
const clientOptions = (options: Options): ClientOptions => ({
  openTelemetry: false,
  ...options.sdk,
  ...(options.apiKey === undefined ? undefined : { apiKey: Redacted.value(options.apiKey), authToken: null }),
  ...(options.authToken === undefined ? undefined : { authToken: Redacted.value(options.authToken), apiKey: null }),
  ...(options.baseUrl === undefined ? undefined : { baseURL: options.baseUrl })
})

export const makeSdkClient = (options: Options): Anthropic => new Anthropic(clientOptions(options))

// Blank counts as not set, as in the SDK: a compose file or a CI passes on the variables it does not have as empty ones.
const notBlank = (text: string): Option.Option<string> =>
  Option.filter(Option.some(text.trim()), (value) => value !== "")

const secret = (name: string): Config.Config<Option.Option<Redacted.Redacted>> =>
  Config.map(
    Config.option(Config.Redacted(name)),
    Option.flatMap((value) => Option.map(notBlank(Redacted.value(value)), (text) => Redacted.make(text)))
  )

const environment = Config.all({
  apiKey: secret("ANTHROPIC_API_KEY"),
  authToken: secret("ANTHROPIC_AUTH_TOKEN"),
  baseUrl: Config.map(Config.option(Config.String("ANTHROPIC_BASE_URL")), Option.flatMap(notBlank))
})

/** The options that the environment asks for. */
export const optionsFromConfig: Effect.Effect<Options, Config.ConfigError> = Effect.gen(function*() {
  const { apiKey, authToken, baseUrl } = yield* environment
  if (Option.isSome(baseUrl) && !isBaseUrl(baseUrl.value)) {
    return yield* Config.fail(new SourceError({ message: `ANTHROPIC_BASE_URL ${baseUrlForm}` }))
  }
  const base = Option.isSome(baseUrl) ? { baseUrl: baseUrl.value } : {}
  if (Option.isSome(apiKey)) return { ...base, apiKey: apiKey.value }
  if (Option.isSome(authToken)) return { ...base, authToken: authToken.value }
  return yield* Config.fail(
    new SourceError({ message: "Set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN: the client has no credentials" })
  )
})

import * as Predicate from "effect/Predicate"

interface BetaRequest {
  readonly betas: ReadonlySet<string>
  readonly fields: { readonly [field: string]: unknown }
}

const creditObject = "fallback-credit-2026-07-01"
const credit: ReadonlyArray<string> = [creditObject, "fallback-credit-2026-06-01"]
const serverFallback: ReadonlyArray<string> = ["server-side-fallback-2026-07-01", "server-side-fallback-2026-06-01"]

export const betasOf = (headers: { readonly [name: string]: unknown }): ReadonlySet<string> => {
  const header = headers["anthropic-beta"]
  return new Set(Predicate.isString(header) ? header.split(",").map((beta) => beta.trim()) : [])
}

const asksFor = ({ betas }: BetaRequest, names: ReadonlyArray<string>): boolean => names.some((name) => betas.has(name))

/** Whether a refusal carries a credit token. Server-side fallback brings the fields of the fallback credit with it. */
export const hasFallbackCredit = (request: BetaRequest): boolean => asksFor(request, [...credit, ...serverFallback])

/** What the API says of fields that their beta header is missing for, or that do not go together. */
export const betaMistake = (request: BetaRequest): string | undefined => {
  const { fallback_credit_token: token, fallbacks } = request.fields
  if (isSet(fallbacks) && !asksFor(request, serverFallback)) return "fallbacks: Extra inputs are not permitted"
  if (!isSet(token)) return undefined
  if (!asksFor(request, credit)) return "fallback_credit_token: Extra inputs are not permitted"
  if (isSet(fallbacks)) return "fallback_credit_token: cannot be combined with fallbacks"
  if (Predicate.isString(token) && token !== "") return undefined
  return Predicate.isObject(token) && Predicate.isString(token["token"]) && token["token"] !== ""
      && request.betas.has(creditObject)
    ? undefined
    : "fallback_credit_token: Input should be a valid string"
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null

/** What was compared, and whether it is as it should be. `promise` says what was expected, as a noun. */
export interface Check {
  readonly pass: boolean
  readonly promise: string
  readonly actual: unknown
  readonly expected: unknown
}

const shown = (value: unknown): string => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(shown).join(", ")
  return JSON.stringify(value) ?? String(value)
}

/** What a failed check says: what was expected, and what there was. */
export const complaint = ({ actual, expected, promise }: Check): string =>
  `expected ${promise} ${shown(expected)}, got ${shown(actual)}`

/** What a check says that holds and should not. */
export const denial = ({ expected, promise }: Check): string => `expected ${promise} other than ${shown(expected)}`

export const equal = (promise: string, actual: unknown, expected: unknown): Check => ({
  pass: JSON.stringify(actual) === JSON.stringify(expected),
  promise,
  actual,
  expected
})

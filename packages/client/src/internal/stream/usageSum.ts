import * as Predicate from "effect/Predicate"

/** Usage as the API reports it, of whatever fields. */
export type ReportedUsage = Readonly<Record<string, unknown>>

export const reportedUsage = (usage: unknown): ReportedUsage => Predicate.isObject(usage) ? { ...usage } : {}

const isStated = (value: unknown): boolean => value !== null && value !== undefined

/** What was known, and what a later event changes of it. A null there is "unchanged", not "none". */
export const updatedUsage = (known: ReportedUsage, changes: unknown): ReportedUsage => ({
  ...known,
  ...Object.fromEntries(Object.entries(reportedUsage(changes)).filter(([, value]) => isStated(value)))
})

const sumOf = (one: unknown, other: unknown): unknown => {
  if (!isStated(one)) return other
  if (!isStated(other)) return one
  if (Predicate.isNumber(one) && Predicate.isNumber(other)) return one + other
  if (Array.isArray(one) && Array.isArray(other)) return [...one as Array<unknown>, ...other as Array<unknown>]
  return Predicate.isObject(one) && Predicate.isObject(other) ? addUsage({ ...one }, { ...other }) : other
}

/** The sum of two, count by count, those within counts too, and lists joined. Of what is neither the later one is taken. */
export const addUsage = (one: ReportedUsage, other: ReportedUsage): ReportedUsage =>
  Object.fromEntries(
    [...new Set([...Object.keys(one), ...Object.keys(other)])].map((name) => [name, sumOf(one[name], other[name])])
  )

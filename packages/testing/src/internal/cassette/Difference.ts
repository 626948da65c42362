import * as Predicate from "effect/Predicate"

/** A place in which two requests differ; `undefined` is a field that one of them has not got. */
export interface Difference {
  readonly path: string
  readonly recorded: unknown
  readonly asked: unknown
}

const inside = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`

/** Everything in which two values differ, in the order of the first. */
export const differences = (recorded: unknown, asked: unknown, path = ""): ReadonlyArray<Difference> => {
  if (Array.isArray(recorded) && Array.isArray(asked)) {
    return Array.from({ length: Math.max(recorded.length, asked.length) }, (_, index) => index)
      .flatMap((index) => differences(recorded[index], asked[index], inside(path, index)))
  }
  if (Predicate.isObject(recorded) && Predicate.isObject(asked)) {
    const one = recorded as Readonly<Record<string, unknown>>
    const other = asked as Readonly<Record<string, unknown>>
    return [...new Set([...Object.keys(one), ...Object.keys(other)])]
      .flatMap((name) =>
        differences(
          Object.hasOwn(one, name) ? one[name] : undefined,
          Object.hasOwn(other, name) ? other[name] : undefined,
          inside(path, name)
        )
      )
  }
  return recorded === asked ? [] : [{ path, recorded, asked }]
}

/** The value without what the paths name, such as `metadata` or `messages[0].content`. */
export const without = (value: unknown, paths: ReadonlyArray<string>, path = ""): unknown => {
  if (paths.length === 0) return value
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      paths.includes(inside(path, index)) ? null : without(item, paths, inside(path, index))
    )
  }
  if (!Predicate.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !paths.includes(inside(path, name)))
      .map(([name, item]) => [name, without(item, paths, inside(path, name))])
  )
}

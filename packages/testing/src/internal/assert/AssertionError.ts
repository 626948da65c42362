/** What runners know as a failed assertion: they show the difference of `actual` and `expected`. */
export class AssertionError extends Error {
  override readonly name = "AssertionError"
  readonly actual: unknown
  readonly expected: unknown
  readonly showDiff = true

  constructor(message: string, values: { readonly actual: unknown; readonly expected: unknown }) {
    super(message)
    this.actual = values.actual
    this.expected = values.expected
  }
}

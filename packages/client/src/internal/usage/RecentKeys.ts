/** Values by key, for the keys used most lately. */
export class RecentKeys<Value> {
  private readonly values = new Map<string, Value>()
  private readonly maxKeys: number
  private readonly mayDrop: (value: Value) => boolean
  private latest: string | undefined

  constructor(maxKeys: number, mayDrop: (value: Value) => boolean = () => true) {
    this.maxKeys = maxKeys
    this.mayDrop = mayDrop
  }

  get(key: string): Value | undefined {
    const value = this.values.get(key)
    if (value !== undefined) this.use(key, value)
    return value
  }

  set(key: string, value: Value): void {
    this.use(key, value)
    if (this.values.size > this.maxKeys) this.dropOldest()
  }

  clear(): void {
    this.values.clear()
    this.latest = undefined
  }

  map<Out>(f: (value: Value) => Out): ReadonlyMap<string, Out> {
    return new Map([...this.values].map(([key, value]) => [key, f(value)]))
  }

  private use(key: string, value: Value): void {
    // In its place already.
    if (key === this.latest && this.values.has(key)) return
    this.latest = key
    this.values.delete(key)
    this.values.set(key, value)
  }

  private dropOldest(): void {
    for (const [key, value] of this.values) {
      if (key === this.latest) return
      if (!this.mayDrop(value)) continue
      this.values.delete(key)
      return
    }
  }
}

import * as Metric from "effect/Metric"

type Labels = Readonly<Record<string, string>>

// A metric of its own for each set of labels: `Metric.withAttributes` merges labels and builds the key of the series at every
// update, and a metric that several sets share would do so too.

const labelled = (base: Metric.Metric<never, unknown>, labels: Labels) => ({
  description: base.description,
  attributes: { ...base.attributes, ...labels }
})

export const counter = (base: Metric.Counter<number>, labels: Labels = {}): Metric.Counter<number> =>
  Metric.counter(base.id, { ...labelled(base, labels), incremental: true })

export const gauge = (base: Metric.Gauge<number>, labels: Labels = {}): Metric.Gauge<number> =>
  Metric.gauge(base.id, labelled(base, labels))

export const histogram = (
  base: Metric.Histogram<number>,
  boundaries: ReadonlyArray<number>,
  labels: Labels = {}
): Metric.Histogram<number> => Metric.histogram(base.id, { ...labelled(base, labels), boundaries })

/** The series of a metric by one label, each made when it is first needed. */
export class SeriesBy<A> {
  private readonly series = new Map<string, A>()
  private readonly make: (value: string) => A

  constructor(make: (value: string) => A) {
    this.make = make
  }

  get(value: string): A {
    const known = this.series.get(value)
    if (known !== undefined) return known
    const made = this.make(value)
    this.series.set(value, made)
    return made
  }
}

import { maxNames, otherName } from "../../ClaudeMetrics.ts"
import { shown } from "./shown.ts"

/**
 * Names as labels. Whatever a program sends as the name of a model ends up in one, and each new label is a series that the
 * registry and the exporter keep for good: the first ones are told apart, the others are one.
 */
export class BoundedNames {
  private readonly labels = new Map<string, string>()

  label(name: string): string {
    const known = this.labels.get(name)
    if (known !== undefined) return known
    if (this.labels.size >= maxNames) return otherName
    const label = shown(name)
    this.labels.set(name, label)
    return label
  }
}

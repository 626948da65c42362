import * as Schema from "effect/Schema"

/**
 * A law that a policy broke, and the smallest case that was found in which it did.
 *
 * **Details**
 *
 * - `law`: which law;
 * - `promise`: what was promised and not kept, in words;
 * - `story`: what happened in the case, line by line, each with its time;
 * - `seed`: gives the same cases again;
 * - `cases`: how many cases held before.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawViolation extends Schema.TaggedError<LawViolation>()("LawViolation", {
  law: Schema.String,
  promise: Schema.String,
  story: Schema.Array(Schema.String),
  seed: Schema.String,
  cases: Schema.Int
}) {
  override get message(): string {
    const story = this.story.length === 0 ? "" : `\n\n${this.story.join("\n")}`
    return `The law of ${this.law} does not hold: ${this.promise}${story}\n\nSeed "${this.seed}", after ${this.cases} cases`
  }
}

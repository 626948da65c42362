/**
 * Finding a label of a fixed list in what a model wrote instead of it.
 */

// Words that an answer of one label is dressed in. Any other word may change what is said ("not", "unless", in whatever
// language; "to be done" is not done), so with it there is no label.
const fillers: ReadonlySet<string> = new Set(
  ("a an the this that it it's is i i'd i'll to as of in for by my our you here here's "
    + "answer label labels category class classification classify classified choice result type topic tag value best "
    + "correct final following message ticket text request email question input belongs fits falls under into goes go "
    + "with say choose pick select assign about most likely clearly is: =").split(" ")
)

// Of these a label that is a number becomes another one: "under 10".
const bounds: ReadonlySet<string> = new Set(["about", "under"])
const letter = /\p{L}/u

// What a sign before or after a word may be without changing it: ".net" is not "net", "c#" is not "c", "-1" is not "1".
const before = /^["'`“”„‘’«»()[\]{}<>*#]+/
const after = /["'`“”„‘’«»()[\]{}<>*.,:;!]+$/
const joint = /(?<=[\p{L}\p{N}])[-_/](?=[\p{L}\p{N}])/gu
const bullet = /^[-–•]+$/

const words = (text: string): ReadonlyArray<string> =>
  text.normalize("NFC").toLowerCase().replaceAll("’", "'").replace(joint, " ").split(/\s+/)
    .map((word) => word.replace(before, "").replace(after, ""))
    .filter((word) => word !== "" && !bullet.test(word))

/** What two labels have in common that are told apart by nothing but case, white space and punctuation around words. */
export const labelKey = (label: string): string => words(label).join(" ")

// Longer ones are no dress of a label.
const mostWords = 24
const longest = 400

/**
 * The label that a text says: it consists of the label, or of the label and filler words, however often it is said. Of
 * labels that begin alike the longest is meant. `undefined` for none, for several, and for what says more.
 */
export const makeLabelFinder = (labels: ReadonlyArray<string>): (text: string) => string | undefined => {
  const byKey = new Map(labels.map((label) => [labelKey(label), label]))
  const sought = [...byKey].map(([key, label]) => ({ label, key, words: key.split(" ") }))
    .sort((one, other) => other.words.length - one.words.length)
  // As a part of a sentence these would be found in any.
  const inSentence = sought.filter(({ words }) => !words.every((word) => fillers.has(word)))

  return (text) => {
    if (text.length > longest) return undefined
    const said = words(text)
    const whole = byKey.get(said.join(" "))
    if (whole !== undefined) return whole
    if (said.length > mostWords) return undefined
    const found = new Set<string>()
    for (let at = 0; at < said.length;) {
      const here = inSentence.find(({ words }) => words.every((word, index) => said[at + index] === word))
      if (here !== undefined) {
        found.add(here.label)
        at += here.words.length
      } else if (fillers.has(said[at] ?? "")) {
        at++
      } else {
        return undefined
      }
    }
    const [label] = found
    if (label === undefined || found.size > 1) return undefined
    return letter.test(label) || !said.some((word) => bounds.has(word)) ? label : undefined
  }
}

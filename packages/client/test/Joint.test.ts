import { assert, describe, it } from "@effect/vitest"
import { anchorOf, Joint } from "../src/internal/stream/Joint.ts"

/** What a continuation adds, given in pieces of every size. */
const added = (text: string, tail: string, continuation: string, isExact = false): string => {
  const bySize = [1, 2, 3, 7, 1000].map((size) => {
    const joint = new Joint({ text, tail }, isExact)
    let out = ""
    for (let at = 0; at < continuation.length; at += size) out += joint.push(continuation.slice(at, at + size))
    return out + joint.end()
  })
  assert.lengthOf(new Set(bySize), 1, JSON.stringify(bySize))
  return bySize[0] ?? ""
}

type Row = readonly [name: string, text: string, tail: string, continuation: string, added: string]

const check = (rows: ReadonlyArray<Row>, isExact = false) => {
  for (const [name, text, tail, continuation, expected] of rows) {
    it(name, () => {
      assert.strictEqual(added(text, tail, continuation, isExact), expected)
    })
  }
}

const long = "One sentence stands here, and behind it there is another one that is a good deal longer than"

describe("a continuation that was asked to repeat the last words", () => {
  check([
    ["does", long, "", `${anchorOf(long)} the first.`, " the first."],
    ["does, behind white space", long, "", `\n${anchorOf(long)} the first.`, " the first."],
    ["does, in the middle of a word", "a hot air ballo", "", "a hot air balloon over", "on over"],
    ["does, in front of white space that was shown", "Hello dear", " \n", "Hello dear \n\nworld", "\nworld"],
    ["does, of words that come again", "ha ha ha ha", " ", "ha ha ha ha ha", "ha"],
    ["repeats them and nothing else", "The end.", "", "The end.", ""],
    ["begins the answer again", long, " ", `${long} the first.`, "the first."],
    ["begins a sentence again", long, "", `${long.slice(26)} the first.`, " the first."]
  ])
})

describe("a continuation of its own accord", () => {
  check([
    ["repeats nothing", "The tortoise set out", " ", "early, and won.", "early, and won."],
    ["repeats nothing, and brings its space", "The tortoise set out", "", " early, and won.", " early, and won."],
    ["repeats nothing, and the space was shown", "The tortoise set out", " ", " early, and won.", "early, and won."],
    ["repeats a word", "The tortoise set out", " ", "out early.", "early."],
    ["repeats a word with its mark", "Hello, world.", "", "world. Bye", " Bye"],
    ["completes a word from its beginning", "a hot air ballo", "", "balloon over", "on over"],
    ["completes a word", "a hot air ballo", "", "on over", "on over"],
    ["begins with a word that only looks the same", "and this is the", " ", "then famous", "then famous"],
    ["begins as the last letters of a word", "This is a", "", "nother one", "nother one"],
    ["goes on with numbers", "1, 0, 0", ", ", "0, 0, 1", "0, 0, 1"],
    ["closes what is nested", "<p>\n  <div>\n  </div>", "\n", "</div>\n</p>", "</div>\n</p>"],
    ["ends a block of code", "if x\n  if y\n  end", "\n", "end\n", "end\n"],
    [
      "repeats a line",
      "The second chapter\n\nIt was late in the evening",
      "\n",
      "It was late in the evening\nThen",
      "Then"
    ],
    ["in a script without spaces", "吾輩は猫である", "", "猫である。名前は", "。名前は"],
    ["doubles a character of such a script", "みんなで人", "", "人を見る", "人を見る"],
    ["is white space", "Hello", "", "  ", "  "],
    ["is nothing", "Hello", " ", "", ""]
  ])
})

describe("a continuation of a prefill", () => {
  check([
    ["is taken as it is", "had", " ", "had a good time", "had a good time"],
    ["leaves out the white space that was shown", "Hello", " \n", " \n\n world", "\n world"],
    ["may have other white space", "Hello", " ", "\nworld", "\nworld"],
    ["completes a character", "Hello ", "\uD83D", "👋 you", "\uDC4B you"]
  ], true)
})

it("an answer that is begun again is followed in one pass, however long it is", () => {
  const text = Array.from({ length: 40_000 }, (_, word) => `word${word % 977}`).join(" ")
  const joint = new Joint({ text, tail: "" }, false)
  let out = ""
  // Looked at as a whole for each of its 60,000 pieces, this takes longer than a test may.
  for (const piece of `${text} and on.`.match(/.{1,5}/g) ?? []) out += joint.push(piece)
  assert.strictEqual(out + joint.end(), " and on.")
})

it("an answer that is begun again and then goes another way is taken as it is", () => {
  const again = "One sentence stands here, and behind it there is something else"
  assert.strictEqual(added(long, "", again), again)
})

it("an answer that begins with its last words is joined behind them", () => {
  const text = `${"ha ".repeat(30)}ha`
  assert.strictEqual(added(text, "", `${anchorOf(text)}, he said`), ", he said")
  assert.strictEqual(added(text, "", "ha ha, he said"), ", he said")
})

describe("the words to begin with", () => {
  it("are the last ones, whole, and not too many", () => {
    assert.strictEqual(anchorOf("One two three"), "One two three")
    assert.strictEqual(anchorOf("1 2 3 4 5 6 7 8 9 10"), "3 4 5 6 7 8 9 10")
    assert.strictEqual(anchorOf(`${"a".repeat(200)} b c`), "b c")
    assert.lengthOf(anchorOf("a".repeat(200)), 80)
    assert.isTrue(long.endsWith(anchorOf(long)))
    assert.isFalse(/^[\uDC00-\uDFFF]/.test(anchorOf(`x${"👋".repeat(100)}`)))
  })
})

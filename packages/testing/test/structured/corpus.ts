/**
 * Answers made wrong in every way that we could think of, and what has to come of each: the value that is meant, or no value.
 */
import * as Schema from "effect/Schema"

/** A part of a person is a person too, so that a reader who takes a part of a broken answer is found out. */
const Boss = Schema.Struct({
  name: Schema.String,
  age: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 150 }))
})

export const Person = Schema.Struct({
  ...Boss.fields,
  role: Schema.optionalKey(Schema.Literals(["admin", "User", "read only"])),
  email: Schema.optionalKey(Schema.NullOr(Schema.String)),
  tags: Schema.optionalKey(Schema.Array(Schema.String)),
  boss: Schema.optionalKey(Boss)
})

export type Person = typeof Person.Type

export interface Row {
  readonly name: string
  readonly text: string
  /** What is meant; absent if nobody can say. */
  readonly value?: unknown
}

export const good: Person = { name: "Ada", age: 36 }
const json = `{"name":"Ada","age":36}`
const full: Person = {
  name: "Ada \"Countess\" Lovelace",
  age: 36,
  role: "read only",
  email: null,
  tags: ["a {b}", "c]", "```"],
  boss: { name: "Bob", age: 50 }
}
const fullJson = JSON.stringify(full)
const pretty = JSON.stringify(full, null, 2)

const meant = (name: string, text: string, value: unknown = good): Row => ({ name, text, value })
const void_ = (name: string, text: string): Row => ({ name, text })

const dressed: ReadonlyArray<Row> = [
  meant("plain", json),
  meant("pretty", pretty, full),
  meant("white space around", `\n\n  ${json}\t\n`),
  meant("byte-order mark", `\uFEFF${json}`),
  meant("no-break spaces", `\u00A0${json}\u00A0`),
  meant("fence", `\`\`\`\n${json}\n\`\`\``),
  meant("fence with a language", `\`\`\`json\n${pretty}\n\`\`\``, full),
  meant("fence with another language", `\`\`\`JavaScript\n${json}\n\`\`\``),
  meant("fence of JSON5", `\`\`\`json5\n${json}\n\`\`\``),
  meant("fence of tildes", `~~~json\n${json}\n~~~`),
  meant("fence on one line", `\`\`\`json ${json} \`\`\``),
  meant("inline code", `The answer is \`${json}\`.`),
  meant("fence that is not closed", `\`\`\`json\n${json}`),
  meant("fence that was not opened", `${json}\n\`\`\``),
  meant("fence in a list", `1. Result:\n   \`\`\`json\n   ${json}\n   \`\`\``),
  meant("fence in a quote", `> \`\`\`json\n> ${json}\n> \`\`\``),
  meant("nested fences", `\`\`\`\`markdown\n\`\`\`json\n${json}\n\`\`\`\n\`\`\`\``),
  meant("carriage returns", `\`\`\`json\r\n${json}\r\n\`\`\`\r\n`),
  meant("prose before", `Here is the JSON you asked for:\n${json}`),
  meant("prose after", `${json}\nLet me know if you need more!`),
  meant("prose around", `Sure! ${json} Anything else?`),
  meant("prose around a fence", `Sure!\n\n\`\`\`json\n${pretty}\n\`\`\`\n\nI took the age from the text.`, full),
  meant("prose with quotes", `He said "hi" and isn't "here: ${json}`),
  meant("prose with placeholders", `For {name} in [1] and [ ]: ${json}`),
  meant("prose with a link", `See [the source](https://example.com/a:b). ${json}`),
  meant("prose with a formula", `f(x) = x > 3: ${json}`),
  meant("tags around", `<answer>${json}</answer>`),
  meant("HTML around", `<html><body><pre>${json}</pre></body></html>`),
  meant("JSON prefix", `json\n${json}`),
  meant("key in prose", `"answer": ${json}`),
  meant("trailing comma", `{"name":"Ada","age":36,}`),
  meant("trailing comma in an array", `{"name":"Ada","age":36,"tags":["x",],}`, { ...good, tags: ["x"] }),
  meant("line comment", `{\n// the name\n"name":"Ada", // and\n"age":36\n}`),
  meant("block comment", `/* here */ {"name":/* "Bob" */"Ada","age":36} /* there */`),
  meant("comment with a brace", `{"name":"Ada", // }\n"age":36}`),
  meant("line break in a string", `{"name":"Ada\nLovelace","age":36}`, { name: "Ada\nLovelace", age: 36 }),
  meant("tab in a string", `{"name":"Ada\tLovelace","age":36}`, { name: "Ada\tLovelace", age: 36 }),
  meant("escapes", `{"n\\u0061me":"\\u0041da","age":36}`),
  meant("escaped slash", `{"name":"A\\/B","age":36}`, { name: "A/B", age: 36 }),
  meant("surrogate pair as escapes", `{"name":"\\ud83d\\ude00","age":36}`, { name: "😀", age: 36 }),
  meant("lone surrogate", `{"name":"\\ud83d","age":36}`, { name: "\ud83d", age: 36 }),
  meant("comment in a string", `{"name":"// no /* comment */","age":36}`, { name: "// no /* comment */", age: 36 }),
  meant("fence in a string", `{"name":"\`\`\`json","age":36}`, { name: "```json", age: 36 }),
  meant("JSON in a string", `{"name":"{\\"name\\":\\"Bob\\",\\"age\\":1}","age":36}`, {
    name: `{"name":"Bob","age":1}`,
    age: 36
  }),
  meant("escaped JSON", JSON.stringify(json)),
  meant("escaped JSON in a fence", `\`\`\`json\n${JSON.stringify(json)}\n\`\`\``),
  meant("exponent", `{"name":"Ada","age":3.6e1}`),
  meant("fraction of zero", `{"name":"Ada","age":36.0}`),
  meant("extra field", `{"name":"Ada","age":36,"height":170}`),
  meant("extra field with an object", `{"name":"Ada","age":36,"x":{"name":"Bob","age":1}}`),
  meant("extra field __proto__", `{"name":"Ada","age":36,"__proto__":{"role":"admin"}}`),
  meant("extra field constructor", `{"name":"Ada","age":36,"constructor":{"prototype":{"role":"admin"}}}`),
  meant("null where it may be", `{"name":"Ada","age":36,"email":null}`, { ...good, email: null }),
  meant("enum in capitals", `{"name":"Ada","age":36,"role":"ADMIN"}`, { ...good, role: "admin" }),
  meant("enum in small letters", `{"name":"Ada","age":36,"role":"user"}`, { ...good, role: "User" }),
  meant("enum with a capital after the space", `{"name":"Ada","age":36,"role":"Read Only"}`, {
    ...good,
    role: "read only"
  }),
  meant("the same answer twice", `${json}\n${json}`),
  meant("the same answer in another order", `${json} or {"age":36,"name":"Ada"}`),
  meant("the same answer in prose and fence", `${json}\n\`\`\`json\n${pretty.replace(pretty, json)}\n\`\`\``),
  meant("the same key twice with one value", `{"name":"Ada","name":"Ada","age":36}`),
  meant("another object beside", `{"thought":"easy"} ${json}`),
  meant("an array of numbers beside", `[1, 2] ${json}`),
  meant("a schema echoed before", `{"type":"object","properties":{"n":{"type":"string"}}} ${json}`),
  meant("braces in strings", `{"name":"}{][","age":36}`, { name: "}{][", age: 36 }),
  meant("backslashes in strings", `{"name":"C:\\\\dir\\\\\\"","age":36}`, { name: "C:\\dir\\\"", age: 36 })
]

const broken: ReadonlyArray<Row> = [
  void_("nothing", ""),
  void_("white space", " \n\t "),
  void_("prose", "I cannot find a person in this text."),
  void_("a question", "Which Ada do you mean?"),
  void_("null", "null"),
  void_("true", "true"),
  void_("a number", "42"),
  void_("a string", `"Ada"`),
  void_("an empty object", "{}"),
  void_("an empty array", "[]"),
  void_("an array of the answer", `[${json}]`),
  void_("an array of two", `[${json},{"name":"Bob","age":50}]`),
  void_("the answer below a key", `{"person":${json}}`),
  void_("the answer below value", `{"value":${json}}`),
  void_("two answers", `${json} {"name":"Bob","age":50}`),
  void_("two answers without space", `${json}{"name":"Bob","age":50}`),
  void_("two answers in fences", `\`\`\`json\n${json}\n\`\`\`\nor\n\`\`\`json\n{"name":"Bob","age":50}\n\`\`\``),
  void_("a draft and an answer", `Draft: {"name":"Ada","age":35}. Final:\n\`\`\`json\n${json}\n\`\`\``),
  void_("a wrong answer and an example", `{"name":"Ada","age":"36"} For example {"name":"Bob","age":50} would fit.`),
  void_("a broken answer and an example", `{"name":"Ada" "age":36} For example {"name":"Bob","age":50}.`),
  void_("an answer without quotes and an example", `{name: Ada, age: 36} like {"name":"Bob","age":50}`),
  void_("an array and an example", `[{"name":"Ada"}] like {"name":"Bob","age":50}`),
  void_("a cut answer after an example", `{"name":"Bob","age":50} {"name":"Ada","ag`),
  void_("a broken answer with a whole part", `{"name":"Ada" "age":36,"boss":{"name":"Bob","age":50}}`),
  void_("a cut answer with a whole part", `{"name":"Ada","boss":{"name":"Bob","age":50},"ag`),
  void_("a cut array with whole items", `{"people":[{"name":"Bob","age":50},{"name":"A`),
  void_("a broken string with a fence in it", `{"name":"Ada "x"\n\`\`\`\n{"name":"Bob","age":50}\n\`\`\`\n","age":36}`),
  void_("keys without quotes around a whole part", `{name: "Ada", boss: {"name":"Bob","age":50}}`),
  void_("single quotes", `{'name':'Ada','age':36}`),
  void_("single quotes around values", `{"name":'Ada',"age":36}`),
  void_("typographic quotes", `{“name”:“Ada”,“age”:36}`),
  void_("backquotes", "{`name`:`Ada`,`age`:36}"),
  void_("keys without quotes", `{name:"Ada",age:36}`),
  void_("a quote that is not escaped", `{"name":"Ada "Countess" Lovelace","age":36}`),
  void_("a wrong escape", `{"name":"A\\da","age":36}`),
  void_("an escape of hexadecimal", `{"name":"\\x41da","age":36}`),
  void_("half an escape", `{"name":"\\u00","age":36}`),
  void_("missing comma", `{"name":"Ada" "age":36}`),
  void_("missing colon", `{"name" "Ada","age":36}`),
  void_("two commas", `{"name":"Ada",,"age":36}`),
  void_("comma first", `{,"name":"Ada","age":36}`),
  void_("equals signs", `{"name"="Ada","age"=36}`),
  void_("semicolons", `{"name":"Ada";"age":36}`),
  void_("missing brace", `{"name":"Ada","age":36`),
  void_("missing first brace", `"name":"Ada","age":36}`),
  void_("a bracket for a brace", `{"name":"Ada","age":36]`),
  void_("brackets for braces", `["name":"Ada","age":36]`),
  void_("parentheses", `("name":"Ada","age":36)`),
  void_("an ellipsis", `{"name":"Ada",...}`),
  void_("an ellipsis in an array", `{"name":"Ada","age":36,"tags":["a", ...]}`),
  void_("NaN", `{"name":"Ada","age":NaN}`),
  void_("Infinity", `{"name":"Ada","age":Infinity}`),
  void_("minus Infinity", `{"name":"Ada","age":-Infinity}`),
  void_("undefined", `{"name":"Ada","age":36,"email":undefined}`),
  void_("None", `{"name":"Ada","age":36,"email":None}`),
  void_("Python's True", `{"name":True,"age":36}`),
  void_("a leading zero", `{"name":"Ada","age":036}`),
  void_("a plus sign", `{"name":"Ada","age":+36}`),
  void_("a point first", `{"name":"Ada","age":.5}`),
  void_("a point last", `{"name":"Ada","age":36.}`),
  void_("a number in hexadecimal", `{"name":"Ada","age":0x24}`),
  void_("a number with separators", `{"name":"Ada","age":3_6}`),
  void_("a number with a comma", `{"name":"Ada","age":36,5}`),
  void_("a number with a unit", `{"name":"Ada","age":36 years}`),
  void_("a number that overflows", `{"name":"Ada","age":1e999}`),
  void_("a number beyond exactness", `{"name":"Ada","age":9007199254740993}`),
  void_("a number as a string", `{"name":"Ada","age":"36"}`),
  void_("a number as a word", `{"name":"Ada","age":"thirty-six"}`),
  void_("a fraction for an integer", `{"name":"Ada","age":36.5}`),
  void_("a number below its range", `{"name":"Ada","age":-1}`),
  void_("a number above its range", `{"name":"Ada","age":151}`),
  void_("a string as a number", `{"name":36,"age":36}`),
  void_("a string as an array", `{"name":["Ada"],"age":36}`),
  void_("an array as a string", `{"name":"Ada","age":36,"tags":"a,b"}`),
  void_("an array as an object", `{"name":"Ada","age":36,"tags":{"0":"a"}}`),
  void_("an object as a string", `{"name":"Ada","age":36,"boss":"{\\"name\\":\\"Bob\\",\\"age\\":50}"}`),
  void_("an object as an array", `{"name":"Ada","age":36,"boss":[{"name":"Bob","age":50}]}`),
  void_("null for a string", `{"name":null,"age":36}`),
  void_("null for a number", `{"name":"Ada","age":null}`),
  void_("null for an object", `{"name":"Ada","age":36,"boss":null}`),
  void_("a missing field", `{"name":"Ada"}`),
  void_("all fields missing", `{"height":170}`),
  void_("a missing field in a part", `{"name":"Ada","age":36,"boss":{"name":"Bob"}}`),
  void_("a field in capitals", `{"Name":"Ada","age":36}`),
  void_("a field with a space", `{"name ":"Ada","age":36}`),
  void_("an enum of its own", `{"name":"Ada","age":36,"role":"owner"}`),
  void_("an enum with white space", `{"name":"Ada","age":36,"role":"admin "}`),
  void_("an enum with a hyphen", `{"name":"Ada","age":36,"role":"read-only"}`),
  void_("an enum as an array", `{"name":"Ada","age":36,"role":["admin"]}`),
  void_("a key with two values", `{"name":"Ada","age":36,"age":37}`),
  void_("a key with two values by escape", `{"name":"Ada","age":36,"\\u0061ge":37}`),
  void_("a key with two values in a part", `{"name":"Ada","age":36,"boss":{"name":"Bob","name":"Eve","age":50}}`),
  void_("fields only in __proto__", `{"__proto__":{"name":"Ada","age":36}}`),
  void_("YAML", "name: Ada\nage: 36"),
  void_("YAML in a fence", "```yaml\nname: Ada\nage: 36\n```"),
  void_("XML", "<person><name>Ada</name><age>36</age></person>"),
  void_("HTML", "<html><body>502 Bad Gateway</body></html>"),
  void_("CSV", "name,age\nAda,36"),
  void_("a table", "| name | age |\n|---|---|\n| Ada | 36 |"),
  void_("JavaScript", "const person = {name: 'Ada', age: 36};"),
  void_("JSON Lines", `${json}\n{"name":"Bob","age":50}\n{"name":"Eve","age":30}`),
  void_("escaped without quotes", `{\\"name\\":\\"Ada\\",\\"age\\":36}`),
  void_("escaped twice", JSON.stringify(JSON.stringify(json))),
  void_("a base64 of it", btoa(json)),
  void_(
    "a schema",
    `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},"required":["name","age"]}`
  ),
  void_("an error object", `{"error":"no person"}`),
  void_("open brackets, many", "[".repeat(5_000)),
  void_("open braces, many", "{".repeat(5_000)),
  void_("closed brackets, many", "]".repeat(5_000)),
  void_("objects in objects, many", `${`{"boss":`.repeat(3_000)}1${"}".repeat(3_000)}`),
  void_("arrays in arrays, many", `${"[".repeat(3_000)}${"]".repeat(3_000)}`),
  void_("an extra field that nests deep", `{"name":"Ada","age":36,"x":${"[".repeat(500)}${"]".repeat(500)}}`),
  void_("many objects", `${"{} ".repeat(20_000)}${json}`),
  void_("null characters", "\u0000\u0000"),
  void_("a comment that is not closed", `{"name":"Ada","age":36 /* }`),
  void_("a comment only", "// nothing"),
  void_("a brace in prose before", `A set begins with { and so on: ${json}`),
  void_("unclosed quotes inside", `{"name":"Ada,"age":36}`)
]

/** Cut before each of its characters. What is left is never an answer. */
const cuts = (name: string, text: string): ReadonlyArray<Row> =>
  Array.from({ length: text.length - 1 }, (_, at) => void_(`${name}, cut after ${at + 1}`, text.slice(0, at + 1)))

export const corpus: ReadonlyArray<Row> = [
  ...dressed,
  ...broken,
  ...cuts("plain", json),
  ...cuts("with a part", fullJson),
  ...cuts("in prose", `The answer: ${json}`),
  ...cuts("in a fence", "```json\n" + pretty)
]

/** What was made wrong by hand. */
export const handMade = dressed.length + broken.length

import type { ClaudeBatches } from "@effect-claude/client/ClaudeBatches"
import * as ClaudeLayer from "@effect-claude/client/ClaudeLayer"
import type { ClaudeService } from "@effect-claude/client/ClaudeService"
import * as Cassette from "@effect-claude/testing/Cassette"
import type { CassetteError, CassetteMismatchError } from "@effect-claude/testing/CassetteError"
import * as CassetteFile from "@effect-claude/testing/CassetteFile"
import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { describe, expect, test } from "tstyche"

type Provided = Cassette.Cassette | ClaudeService | ClaudeBatches

describe("Cassette.layer", () => {
  test("provides both services and the cassette, and needs a file system", () => {
    expect(Cassette.layer({ file: "a.json" })).type.toBe<
      Layer.Layer<Provided, CassetteError | Config.ConfigError, FileSystem.FileSystem>
    >()
  })

  test("keeps all of it behind a pipeline", () => {
    expect(Cassette.layer({ file: "a.json" }).pipe(ClaudeLayer.standard())).type.toBe<
      Layer.Layer<Provided, CassetteError | Config.ConfigError, FileSystem.FileSystem>
    >()
  })

  test("takes the options of recording, replay and client", () => {
    expect(Cassette.layer).type.toBeCallableWith({ file: "a", mode: "auto", answers: (text: string) => text })
    expect(Cassette.layer).type.toBeCallableWith({
      file: "a",
      timing: "recorded",
      speed: 2,
      client: { baseUrl: "http://a" }
    })
    expect(Cassette.layer).type.not.toBeCallableWith({})
    expect(Cassette.layer).type.not.toBeCallableWith({ file: "a", mode: "rerecord" })
    expect(Cassette.layer).type.not.toBeCallableWith({ file: "a", secret: "plain text" })
    expect(Cassette.layerReplay).type.not.toBeCallableWith({ file: "a", mode: "record" })
  })
})

describe("Cassette.record, replay and make", () => {
  test("live as long as a scope", () => {
    expect(Cassette.record({ file: "a" })).type.toBe<
      Effect.Effect<Cassette.CassetteShape, CassetteError, FileSystem.FileSystem | Scope.Scope>
    >()
    expect(Cassette.replay({ file: "a" })).type.toBe<
      Effect.Effect<Cassette.CassetteShape, CassetteError, FileSystem.FileSystem | Scope.Scope>
    >()
    expect(Cassette.make({ file: "a" })).type.toBe<
      Effect.Effect<Cassette.CassetteShape, CassetteError | Config.ConfigError, FileSystem.FileSystem | Scope.Scope>
    >()
  })

  test("take their own options only", () => {
    expect(Cassette.replay).type.not.toBeCallableWith({ file: "a", prompts: "keep" })
    expect(Cassette.record).type.not.toBeCallableWith({ file: "a", timing: "recorded" })
    expect<Cassette.RecordOptions["secret"]>().type.toBe<Redacted.Redacted | undefined>()
  })

  test("give a fetch", () => {
    expect<Cassette.CassetteShape["fetch"]>().type.toBe<typeof globalThis.fetch>()
    expect<Effect.Success<Cassette.CassetteShape["mismatches"]>>().type.toBe<ReadonlyArray<CassetteMismatchError>>()
  })
})

describe("CassetteFile", () => {
  test("tells outcomes apart by their kind", () => {
    expect<CassetteFile.Outcome["kind"]>().type.toBe<"response" | "failed" | "abandoned">()
    expect<Extract<CassetteFile.Outcome, { readonly kind: "response" }>["status"]>().type.toBe<number>()
    expect(CassetteFile.decodeJson("")).type.toBe<Effect.Effect<CassetteFile.Recording, CassetteError>>()
  })
})

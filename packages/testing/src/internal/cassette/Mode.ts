import * as Config from "effect/Config"
import { SourceError } from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { CassetteMode } from "../../Cassette.ts"

export const modes: ReadonlyArray<CassetteMode> = ["replay", "record", "auto"]

// Blank counts as not set: a CI passes on the variables it does not have as empty ones.
const variable = (name: string): Config.Config<string> =>
  Config.map(Config.option(Config.String(name)), (text) => Option.getOrElse(text, () => "").trim())

const environment = Config.all({ mode: variable("CASSETTE_MODE"), ci: variable("CI") })

const isMode = (text: string): text is CassetteMode => modes.some((mode) => mode === text)

/** The mode that was asked for. In CI nothing is ever sent because it was not found. */
export const modeOf = (stated: CassetteMode | undefined): Effect.Effect<CassetteMode, Config.ConfigError> =>
  Effect.gen(function*() {
    if (stated !== undefined && stated !== "auto") return stated
    const { ci, mode } = yield* environment
    const asked = stated ?? (mode === "" ? "replay" : mode)
    if (!isMode(asked)) {
      return yield* Config.fail(
        new SourceError({ message: `CASSETTE_MODE must be one of ${modes.join(", ")}` })
      )
    }
    return asked === "auto" && !["", "0", "false"].includes(ci.toLowerCase()) ? "replay" : asked
  })

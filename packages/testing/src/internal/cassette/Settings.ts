import * as OptionCheck from "@effect-claude/resilience/OptionCheck"
import * as Redacted from "effect/Redacted"
import type { RecordOptions, ReplayOptions } from "../../Cassette.ts"
import { CassetteError } from "../../CassetteError.ts"
import { modes } from "./Mode.ts"
import type { Recording } from "./RecordingSchema.ts"
import { Redaction } from "./Redaction.ts"

const oneOf = (owner: string, option: string, value: unknown, allowed: ReadonlyArray<string>): void => {
  if (value !== undefined && !allowed.some((item) => item === value)) {
    throw OptionCheck.refuse(owner, option, allowed.map((item) => `"${item}"`).join(" or "), value)
  }
}

const checkFile = (owner: string, { file }: { readonly file: string }): void => {
  if (file.trim() === "") throw OptionCheck.refuse(owner, "file", "a path", file)
}

export const checkMode = (owner: string, mode: unknown): void => oneOf(owner, "mode", mode, modes)

const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Headers that are never stored, whatever the options say. */
const confidential = /^(x-api-key|authorization|proxy-authorization|cookie|set-cookie)$/i

export const checkRecordOptions = (owner: string, options: RecordOptions): void => {
  checkFile(owner, options)
  oneOf(owner, "prompts", options.prompts, ["redact", "keep"])
  oneOf(owner, "identities", options.identities, ["redact", "keep"])
  if (typeof options.answers !== "function") oneOf(owner, "answers", options.answers, ["keep", "redact"])
  for (const name of options.headers ?? []) {
    if (!headerName.test(name) || confidential.test(name)) {
      throw OptionCheck.refuse(owner, "headers", "names of headers that hold no credentials", name)
    }
  }
  if (options.secret !== undefined && Redacted.value(options.secret).trim() === "") {
    throw new RangeError(`${owner}: option "secret" must not be blank`)
  }
}

export const checkReplayOptions = (owner: string, options: ReplayOptions): void => {
  checkFile(owner, options)
  oneOf(owner, "timing", options.timing, ["none", "recorded"])
  if (options.speed !== undefined) {
    if (options.timing !== "recorded") {
      throw new RangeError(`${owner}: option "speed" needs timing: "recorded"`)
    }
    if (!Number.isFinite(options.speed) || options.speed <= 0) {
      throw OptionCheck.refuse(owner, "speed", "a finite number above zero", options.speed)
    }
  }
}

export const speedOf = ({ speed, timing }: ReplayOptions): number =>
  timing === "recorded" ? speed ?? 1 : Number.POSITIVE_INFINITY

export const redactionOf = (options: RecordOptions): Redaction =>
  new Redaction({
    prompts: options.prompts ?? "redact",
    answers: options.answers ?? "keep",
    identities: options.identities ?? "redact",
    headers: options.headers ?? [],
    patterns: options.patterns ?? [],
    secret: options.secret === undefined ? undefined : Redacted.value(options.secret)
  })

/** What keeps requests of now from being compared with those of a recording. */
export const contradiction = (
  recording: Recording,
  redaction: Redaction,
  file: string
): CassetteError | undefined => {
  const settings = (message: string) => new CassetteError({ message: `${file}: ${message}`, reason: "Settings", file })
  if (recording.digest === "hmac-sha256" && redaction.digest.algorithm === "sha256") {
    return settings(`recorded with a secret; give the same one as option "secret", or record again`)
  }
  if (recording.digest === "sha256" && redaction.digest.algorithm === "hmac-sha256") {
    return settings(`recorded without a secret; leave out option "secret", or record again`)
  }
  if (recording.digestCheck !== redaction.digest.check) {
    return settings(`recorded with another secret than that of option "secret"`)
  }
  return undefined
}

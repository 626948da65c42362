import * as Predicate from "effect/Predicate"
import type { Turn } from "./Conversation.ts"

interface VersionedRequest {
  readonly fields: { readonly [field: string]: unknown }
  readonly turns: ReadonlyArray<Turn>
}

/** From this version of the API on, some of what was taken before is refused. Versions are dates. */
const strictSince = "2026-10-21"

const sampling = ["temperature", "top_p", "top_k"]

/** What the API says of a request that an older version took. */
export const versionMistake = (request: VersionedRequest, version: unknown): string | undefined => {
  if (!Predicate.isString(version) || version < strictSince) return undefined
  const parameter = sampling.find((name) => isSet(request.fields[name]))
  return parameter === undefined ? blockMistake(request) : `${parameter}: Extra inputs are not permitted`
}

const blockMistake = ({ turns }: VersionedRequest): string | undefined => {
  for (const { blocks, role } of turns) {
    for (const { fields, path, type } of blocks) {
      if (role === "assistant" && type === "document") {
        return `${path}: \`document\` blocks are not permitted in \`assistant\` messages`
      }
      if (role === "user" && type === "text" && isSet(fields["citations"])) {
        return `${path}.text.citations: Extra inputs are not permitted`
      }
    }
  }
  return undefined
}

const isSet = (value: unknown): boolean => value !== undefined && value !== null

import * as Result from "effect/Result"
import { decodeStrictly } from "../StrictDecoding.ts"
import { Plan } from "./PlanSchema.ts"
import { Step } from "./StepSchema.ts"

/** Reads a JSON value; the failure says what is wrong with the text. */
export const decodeJson = (text: string): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => `Not JSON: ${cause instanceof Error ? cause.message : "it cannot be parsed"}`
  })

/** Decodes a plan; the failure has a line for each mistake. */
export const decodePlan = decodeStrictly(Plan)

/** Decodes a step; the failure has a line for each mistake. */
export const decodeStep = decodeStrictly(Step)

import { decodeStrictly } from "../StrictDecoding.ts"
import { Plan } from "./PlanSchema.ts"
import { Step } from "./StepSchema.ts"

/** Decodes a plan; the failure has a line for each mistake. */
export const decodePlan = decodeStrictly(Plan)

/** Decodes a step; the failure has a line for each mistake. */
export const decodeStep = decodeStrictly(Step)

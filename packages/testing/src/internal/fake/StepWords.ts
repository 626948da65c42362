import type { Step } from "./StepSchema.ts"

type FaultStep = typeof Step.Type

/** A step in a few words, without anything of its texts. */
export const stepWords = (step: FaultStep): string => {
  switch (step.kind) {
    case "message":
      return step.interrupt === undefined ? "message" : `message, ${interruptionWords(step.interrupt)}`
    case "error": {
      const code = step.error.details?.["error_code"]
      return `error ${step.status} ${step.error.type}${typeof code === "string" ? ` ${code}` : ""}`
    }
    case "response":
      return step.interrupt === undefined
        ? `response ${step.status}`
        : `response ${step.status}, ${interruptionWords(step.interrupt)}`
    case "disconnect":
      return `disconnect ${interruptionWords(step)}`
    case "unreachable":
      return `unreachable ${step.code}`
    case "capacity":
      return "capacity"
  }
}

const interruptionWords = (interrupt: {
  readonly how: string
  readonly afterEvents?: number | undefined
  readonly afterBytes?: number | undefined
}): string => {
  const { afterBytes, afterEvents, how } = interrupt
  if (afterEvents !== undefined) return `${how} after ${afterEvents} events`
  return afterBytes === undefined ? how : `${how} after ${afterBytes} bytes`
}

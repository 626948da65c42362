import type { ConnectFailure } from "./Connection.ts"
import type { Plan } from "./PlanSchema.ts"

type FaultPlan = typeof Plan.Type
type FaultStep = NonNullable<FaultPlan["steps"]>[number]

/** What a server can do to a client before a request arrives: all in memory, a little where there is a TLS handshake. */
export type Transport = "memory" | "tls" | "socket"

const overTls: ReadonlyArray<ConnectFailure> = ["ERR_SSL_WRONG_VERSION_NUMBER", "ECONNRESET"]

/** Says which step of a plan a transport cannot take. */
export const transportMistake = (plan: FaultPlan, transport: Transport): string | undefined => {
  if (transport === "memory") return undefined
  const shared = [...plan.steps ?? [], ...(plan.after === undefined ? [] : [plan.after])]
  const byModel = Object.entries(plan.models ?? {}).flatMap(([model, { after, outages = [], steps = [] }]) =>
    [...steps, ...(after === undefined ? [] : [after]), ...outages.map(({ step }) => step)]
      .map((step) => ({ step, where: `models.${model}` }))
  )
  const queued = [...shared, ...(plan.outages ?? []).map(({ step }) => step)].map((step) => ({ step, where: "" }))
  for (const { step, where } of [...queued, ...byModel]) {
    if (step.kind !== "unreachable") continue
    if (transport === "socket") {
      return `${
        stepName(step)
      }: a server on a socket is reached. In memory it can be out of reach, or with tls in the handshake`
    }
    if (where !== "") {
      return `${where}: ${stepName(step)}: the model is not known in the handshake`
    }
    if (!overTls.includes(step.code)) {
      return `${stepName(step)}: in the TLS handshake there are ${
        overTls.join(" and ")
      } only; the others are for memory`
    }
  }
  const drawn = plan.outages?.find(({ share = 1, step }) => step.kind === "unreachable" && share < 1)
  return drawn === undefined ? undefined : "outages: a share of the requests is not known in the TLS handshake"
}

const stepName = (step: Extract<FaultStep, { readonly kind: "unreachable" }>): string => `unreachable ${step.code}`

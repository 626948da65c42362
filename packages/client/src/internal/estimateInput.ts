import * as TokenEstimate from "../TokenEstimate.ts"

/**
 * About how many tokens of input a request has, for policies that must not fail over it: what cannot be read or walked
 * through counts nothing, and the client refuses it with a word why.
 */
export const estimateInput = (request: Parameters<typeof TokenEstimate.ofRequest>[0]): number => {
  try {
    return TokenEstimate.ofRequest(request)
  } catch {
    return 0
  }
}

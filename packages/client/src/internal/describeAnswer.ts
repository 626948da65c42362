import { type AnswerInfo, Key } from "../AnswerInfo.ts"
import * as RateLimits from "../RateLimits.ts"

/**
 * Puts what the response says beside its body on the answer, which is fresh from the SDK and nobody else's yet. The rate
 * limits are read when somebody asks: two dozen headers are a noticeable part of what a call costs.
 */
export const describeAnswer = (answer: object, response: Response, attempt = 1): void => {
  const { headers } = response
  let rateLimits: RateLimits.RateLimits | undefined
  let isRead = false
  const info: AnswerInfo = {
    source: { _tag: "Requested" },
    passedOver: [],
    attempt,
    requestId: headers.get("request-id") ?? undefined,
    get rateLimits() {
      if (!isRead) rateLimits = RateLimits.fromHeaders(headers)
      isRead = true
      return rateLimits
    }
  }
  Object.assign(answer, { [Key]: info })
}

import type {
  Message,
  MessageCreateParamsNonStreaming,
  MessageTokensCount
} from "@anthropic-ai/sdk/resources/messages/messages"
import {
  type AnswerError,
  type ApiError,
  type ClaudeError,
  type ClaudeErrorTag,
  isAnswerError,
  isApiError,
  isClaudeError,
  isPolicyError,
  isTransportError,
  PolicyError,
  type RateLimitError,
  type TransportError
} from "@effect-claude/client/ClaudeError"
import * as ClaudeSchedule from "@effect-claude/client/ClaudeSchedule"
import { ClaudeService } from "@effect-claude/client/ClaudeService"
import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import * as RetrySchedule from "@effect-claude/resilience/RetrySchedule"
import * as Verdict from "@effect-claude/resilience/Verdict"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"

type Tags =
  | "InvalidRequestError"
  | "AuthenticationError"
  | "BillingError"
  | "PermissionDeniedError"
  | "NotFoundError"
  | "RequestTimeoutError"
  | "ConflictError"
  | "RequestTooLargeError"
  | "ContextWindowExceededError"
  | "RateLimitError"
  | "SpendLimitError"
  | "InternalServerError"
  | "GatewayTimeoutError"
  | "OverloadedError"
  | "ConnectionError"
  | "AttemptTimeoutError"
  | "StreamInterruptedError"
  | "InvalidResponseError"
  | "RefusalError"
  | "OutputTruncatedError"
  | "OutputInvalidError"
  | "CircuitOpenError"
  | "RateLimitedLocallyError"
  | "ConcurrencyLimitError"
  | "RetryBudgetExhaustedError"
  | "DeadlineExceededError"
  | "UsageBudgetExceededError"

type Without<Tag extends ClaudeErrorTag> = Exclude<ClaudeError, { readonly _tag: Tag }>

declare const call: Effect.Effect<string, ClaudeError>

const handler = () => Effect.succeed("handled")

describe("the union", () => {
  test("has exactly the tags of the design", () => {
    expect<ClaudeErrorTag>().type.toBe<Tags>()
  })

  test("is its groups", () => {
    expect<ApiError | TransportError | AnswerError | PolicyError>().type.toBe<ClaudeError>()
    expect<ApiError & { readonly _tag: PolicyError["_tag"] }>().type.toBe<never>()
  })

  test("every member carries a verdict and the shared fields", () => {
    expect<ClaudeError["verdict"]>().type.toBe<Verdict.Verdict>()
    expect<ClaudeError["message"]>().type.toBe<string>()
    expect<ClaudeError["attempt"]>().type.toBe<number | undefined>()
  })
})

describe("catchTag", () => {
  test("removes the tag that it handles, each of them", () => {
    expect(call.pipe(Effect.catchTag("InvalidRequestError", handler))).type.toBe<
      Effect.Effect<string, Without<"InvalidRequestError">>
    >()
    expect(call.pipe(Effect.catchTag("AuthenticationError", handler))).type.toBe<
      Effect.Effect<string, Without<"AuthenticationError">>
    >()
    expect(call.pipe(Effect.catchTag("BillingError", handler))).type.toBe<
      Effect.Effect<string, Without<"BillingError">>
    >()
    expect(call.pipe(Effect.catchTag("PermissionDeniedError", handler))).type.toBe<
      Effect.Effect<string, Without<"PermissionDeniedError">>
    >()
    expect(call.pipe(Effect.catchTag("NotFoundError", handler))).type.toBe<
      Effect.Effect<string, Without<"NotFoundError">>
    >()
    expect(call.pipe(Effect.catchTag("RequestTimeoutError", handler))).type.toBe<
      Effect.Effect<string, Without<"RequestTimeoutError">>
    >()
    expect(call.pipe(Effect.catchTag("ConflictError", handler))).type.toBe<
      Effect.Effect<string, Without<"ConflictError">>
    >()
    expect(call.pipe(Effect.catchTag("RequestTooLargeError", handler))).type.toBe<
      Effect.Effect<string, Without<"RequestTooLargeError">>
    >()
    expect(call.pipe(Effect.catchTag("ContextWindowExceededError", handler))).type.toBe<
      Effect.Effect<string, Without<"ContextWindowExceededError">>
    >()
    expect(call.pipe(Effect.catchTag("RateLimitError", handler))).type.toBe<
      Effect.Effect<string, Without<"RateLimitError">>
    >()
    expect(call.pipe(Effect.catchTag("SpendLimitError", handler))).type.toBe<
      Effect.Effect<string, Without<"SpendLimitError">>
    >()
    expect(call.pipe(Effect.catchTag("InternalServerError", handler))).type.toBe<
      Effect.Effect<string, Without<"InternalServerError">>
    >()
    expect(call.pipe(Effect.catchTag("GatewayTimeoutError", handler))).type.toBe<
      Effect.Effect<string, Without<"GatewayTimeoutError">>
    >()
    expect(call.pipe(Effect.catchTag("OverloadedError", handler))).type.toBe<
      Effect.Effect<string, Without<"OverloadedError">>
    >()
    expect(call.pipe(Effect.catchTag("ConnectionError", handler))).type.toBe<
      Effect.Effect<string, Without<"ConnectionError">>
    >()
    expect(call.pipe(Effect.catchTag("AttemptTimeoutError", handler))).type.toBe<
      Effect.Effect<string, Without<"AttemptTimeoutError">>
    >()
    expect(call.pipe(Effect.catchTag("StreamInterruptedError", handler))).type.toBe<
      Effect.Effect<string, Without<"StreamInterruptedError">>
    >()
    expect(call.pipe(Effect.catchTag("InvalidResponseError", handler))).type.toBe<
      Effect.Effect<string, Without<"InvalidResponseError">>
    >()
    expect(call.pipe(Effect.catchTag("RefusalError", handler))).type.toBe<
      Effect.Effect<string, Without<"RefusalError">>
    >()
    expect(call.pipe(Effect.catchTag("OutputTruncatedError", handler))).type.toBe<
      Effect.Effect<string, Without<"OutputTruncatedError">>
    >()
    expect(call.pipe(Effect.catchTag("OutputInvalidError", handler))).type.toBe<
      Effect.Effect<string, Without<"OutputInvalidError">>
    >()
    expect(call.pipe(Effect.catchTag("CircuitOpenError", handler))).type.toBe<
      Effect.Effect<string, Without<"CircuitOpenError">>
    >()
    expect(call.pipe(Effect.catchTag("RateLimitedLocallyError", handler))).type.toBe<
      Effect.Effect<string, Without<"RateLimitedLocallyError">>
    >()
    expect(call.pipe(Effect.catchTag("ConcurrencyLimitError", handler))).type.toBe<
      Effect.Effect<string, Without<"ConcurrencyLimitError">>
    >()
    expect(call.pipe(Effect.catchTag("RetryBudgetExhaustedError", handler))).type.toBe<
      Effect.Effect<string, Without<"RetryBudgetExhaustedError">>
    >()
    expect(call.pipe(Effect.catchTag("DeadlineExceededError", handler))).type.toBe<
      Effect.Effect<string, Without<"DeadlineExceededError">>
    >()
  })

  test("gives the handler the error of its tag", () => {
    const handled = call.pipe(Effect.catchTag("RateLimitError", (error) => {
      expect(error).type.toBe<RateLimitError>()
      return Effect.succeed(error.retryAfter)
    }))
    expect(handled).type.toBe<Effect.Effect<string | Duration.Duration | undefined, Without<"RateLimitError">>>()
  })

  test("with several tags removes all of them", () => {
    const handled = call.pipe(Effect.catchTag(["AuthenticationError", "BillingError"], handler))
    expect(handled).type.toBe<Effect.Effect<string, Without<"AuthenticationError" | "BillingError">>>()
  })

  test("refuses a tag that no error has", () => {
    expect(Effect.catchTag).type.toBeCallableWith(call, "RateLimitError", handler)
    expect(Effect.catchTag).type.not.toBeCallableWith(call, "BoredomError", handler)
  })

  test("of all tags leaves never", () => {
    const handled = call.pipe(Effect.catchTags({
      InvalidRequestError: handler,
      AuthenticationError: handler,
      BillingError: handler,
      PermissionDeniedError: handler,
      NotFoundError: handler,
      RequestTimeoutError: handler,
      ConflictError: handler,
      RequestTooLargeError: handler,
      ContextWindowExceededError: handler,
      RateLimitError: handler,
      SpendLimitError: handler,
      InternalServerError: handler,
      GatewayTimeoutError: handler,
      OverloadedError: handler,
      ConnectionError: handler,
      AttemptTimeoutError: handler,
      StreamInterruptedError: handler,
      InvalidResponseError: handler,
      RefusalError: handler,
      OutputTruncatedError: handler,
      OutputInvalidError: handler,
      CircuitOpenError: handler,
      RateLimitedLocallyError: handler,
      ConcurrencyLimitError: handler,
      RetryBudgetExhaustedError: handler,
      DeadlineExceededError: handler,
      UsageBudgetExceededError: handler
    }))
    expect(handled).type.toBe<Effect.Effect<string>>()
  })
})

describe("guards", () => {
  test("of a group remove the group", () => {
    expect(call.pipe(Effect.catchIf(isApiError, handler))).type.toBe<
      Effect.Effect<string, TransportError | AnswerError | PolicyError>
    >()
    expect(call.pipe(Effect.catchIf(isTransportError, handler))).type.toBe<
      Effect.Effect<string, ApiError | AnswerError | PolicyError>
    >()
    expect(call.pipe(Effect.catchIf(isAnswerError, handler))).type.toBe<
      Effect.Effect<string, ApiError | TransportError | PolicyError>
    >()
    expect(call.pipe(Effect.catchIf(isPolicyError, handler))).type.toBe<
      Effect.Effect<string, ApiError | TransportError | AnswerError>
    >()
  })

  test("of the union narrows anything", () => {
    const value: unknown = undefined
    if (isClaudeError(value)) expect(value).type.toBe<ClaudeError>()
  })

  test("match asks for every case", () => {
    expect(PolicyError.match).type.toBeCallableWith({
      CircuitOpenError: handler,
      RateLimitedLocallyError: handler,
      ConcurrencyLimitError: handler,
      RetryBudgetExhaustedError: handler,
      DeadlineExceededError: handler,
      UsageBudgetExceededError: handler
    })
    expect(PolicyError.match).type.not.toBeCallableWith({ CircuitOpenError: handler })
  })
})

describe("ClaudeSchedule", () => {
  class OurError {
    readonly verdict: Verdict.Verdict = Verdict.stop
  }
  class ForeignError {
    readonly code = 5
  }

  test("is taken for a ClaudeError and for anything with a verdict", () => {
    expect(Effect.retry(call, ClaudeSchedule.standard)).type.toBe<Effect.Effect<string, ClaudeError>>()
    const ours = Effect.fail(new OurError())
    expect(Effect.retry(ours, ClaudeSchedule.standard)).type.toBe<Effect.Effect<never, OurError>>()
    expect(Effect.retry(ours, ClaudeSchedule.interactive)).type.toBe<Effect.Effect<never, OurError>>()
    expect(Effect.retry(ours, ClaudeSchedule.patient)).type.toBe<Effect.Effect<never, OurError>>()
  })

  test("is refused for a foreign error, which needs a classification", () => {
    const foreign = Effect.fail(new ForeignError())
    expect(Effect.retry).type.toBeCallableWith(call, ClaudeSchedule.standard)
    expect(Effect.retry).type.not.toBeCallableWith(foreign, ClaudeSchedule.standard)
    const classified = RetrySchedule.standard({
      classify: (error: ForeignError) => error.code === 5 ? Verdict.stop : Verdict.retry("conflict")
    })
    expect(Effect.retry(foreign, classified)).type.toBe<Effect.Effect<never, ForeignError>>()
    expect(Effect.retry).type.not.toBeCallableWith(call, classified)
  })
})

describe("ClaudeService", () => {
  test("takes the SDK's requests and gives the SDK's answers or a ClaudeError", () => {
    type Service = ClaudeService["Service"]
    expect<ReturnType<Service["createMessage"]>>().type.toBe<Effect.Effect<Message, ClaudeError>>()
    expect<ReturnType<Service["streamMessage"]>>().type.toBe<Stream.Stream<MessageEvent, ClaudeError>>()
    expect<ReturnType<Service["countTokens"]>>().type.toBe<Effect.Effect<MessageTokensCount, ClaudeError>>()
    expect<Parameters<Service["createMessage"]>[0]>().type.toBe<MessageCreateParamsNonStreaming>()
  })

  test("is a requirement of the program that asks for it", () => {
    const program = Effect.gen(function*() {
      const claude = yield* ClaudeService
      return yield* claude.createMessage({ model: "claude-opus-5-5", max_tokens: 10, messages: [] })
    })
    expect(program).type.toBe<Effect.Effect<Message, ClaudeError, ClaudeService>>()
  })
})

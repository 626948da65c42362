/**
 * What each answer of the Claude API means: which error it becomes, and whether trying again can help.
 *
 * **Details**
 *
 * Three tables, asked in this order: the `error_code` of the error's details, its `type`, the HTTP status. The most
 * specific one that knows the failure decides. An unknown code is treated as its bare type, an unknown type as its bare
 * status, as the API asks its clients to do. The tables cover every code and type that the SDK's types list, and fail to
 * compile when the SDK gains one.
 *
 * **Gotchas**
 *
 * The same HTTP status can mean opposite things: 429 is "wait a second" (`ramp_limit_exceeded`) and "not before next
 * month" (`enforced_spend_limit_reached`). Never branch on the status alone.
 *
 * **Example** (Telling a rate limit from a spend limit)
 *
 * ```ts
 * import { classify } from "@effect-claude/client/Classification"
 * import { assert } from "@effect/vitest"
 *
 * const rateLimit = classify({ status: 429, errorType: "rate_limit_error" })
 * assert.deepStrictEqual(rateLimit, { tag: "RateLimitError", retry: "rateLimited" })
 *
 * const spendLimit = classify({
 *   status: 429,
 *   errorType: "rate_limit_error",
 *   errorCode: "enforced_spend_limit_reached"
 * })
 * assert.deepStrictEqual(spendLimit, { tag: "SpendLimitError", retry: "stop" })
 * ```
 *
 * @since 0.1.0
 */
import type * as SdkErrors from "@anthropic-ai/sdk/error"
import type * as Resources from "@anthropic-ai/sdk/resources"
import type * as BetaResources from "@anthropic-ai/sdk/resources/beta/index"
import type * as BetaOrganizationResources from "@anthropic-ai/sdk/resources/beta/organization/index"
import type * as OrganizationResources from "@anthropic-ai/sdk/resources/organization/index"
import type { ErrorDetails, ErrorType } from "@anthropic-ai/sdk/resources/shared"
import type { RetryKind } from "@effect-claude/resilience/Verdict"

/**
 * The tags of the errors that the API itself reports, by an HTTP status or by an `error` event inside a stream.
 *
 * @category models
 * @since 0.1.0
 */
export type ApiErrorTag =
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

/**
 * What a failure is called and what to do next: the kind of retry, or `"stop"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row<Tag extends string = ApiErrorTag | "ConnectionError"> {
  readonly tag: Tag
  readonly retry: RetryKind | "stop"
}

type Instance<Class> = Class extends abstract new(...args: infer _) => infer I ? I : never

type CodeOfClass<I> = I extends { readonly errorCode: infer Code extends string } ? string extends Code ? never : Code
  : never

type CodesOf<Module> = { [K in keyof Module]: CodeOfClass<Instance<Module[K]>> }[keyof Module]

/**
 * Every `error_code` that the SDK's types know, read from its error details and from its error classes.
 *
 * @category models
 * @since 0.1.0
 */
export type SdkErrorCode =
  | ErrorDetails["error_code"]
  | CodesOf<typeof Resources>
  | CodesOf<typeof OrganizationResources>
  | CodesOf<typeof BetaResources>
  | CodesOf<typeof BetaOrganizationResources>

/**
 * The name of every error class that the SDK exports.
 *
 * @category models
 * @since 0.1.0
 */
export type SdkErrorClass = {
  [K in keyof typeof SdkErrors]: Instance<(typeof SdkErrors)[K]> extends Error ? K : never
}[keyof typeof SdkErrors]

const row = <const Tag extends string>(tag: Tag, retry: RetryKind | "stop"): Row<Tag> => ({ tag, retry })

const invalid = row("InvalidRequestError", "stop")
const denied = row("PermissionDeniedError", "stop")
const notFound = row("NotFoundError", "stop")
const billing = row("BillingError", "stop")
const spendLimit = row("SpendLimitError", "stop")
const conflict = row("ConflictError", "conflict")
const conflictForGood = row("ConflictError", "stop")
const tooLarge = row("RequestTooLargeError", "stop")
const rateLimited = row("RateLimitError", "rateLimited")
const serverError = row("InternalServerError", "serverError")
const gatewayTimeout = row("GatewayTimeoutError", "timeout")
const overloaded = row("OverloadedError", "overloaded")

/**
 * The row of every `error_code`. A new code in the SDK's types is a compile error here.
 *
 * @category tables
 * @since 0.1.0
 */
export const errorCodes: Readonly<Record<SdkErrorCode, Row<ApiErrorTag>>> = {
  // 400, of the messages endpoints
  available_tools_limit_exceeded: invalid,
  claude_code_key_creator_not_member: denied,
  claude_code_version_too_old: invalid,
  cmek_key_disabled: denied,
  cmek_key_network_blocked: denied,
  compaction_block_ambiguous: invalid,
  compaction_block_misplaced: invalid,
  compaction_content_mismatch: invalid,
  compaction_incomplete_turn: invalid,
  compaction_nothing_to_summarize: invalid,
  compaction_signature_invalid: invalid,
  compaction_too_many_tool_references: invalid,
  compaction_tool_changes_mismatch: invalid,
  organization_on_hold: denied,
  organization_type_not_supported: denied,
  parent_organization_required: denied,
  request_body_encoding_invalid: invalid,
  request_body_encoding_unsupported: invalid,
  request_body_timeout: row("RequestTimeoutError", "timeout"),
  // A lost response leads here too: the turn was continued, only the answer is missing. Sending it again cannot help.
  thread_already_continued: conflictForGood,
  thread_continue_in_flight: conflict,
  thread_fingerprint_mismatch: invalid,
  thread_unsupported_request: invalid,
  tool_name_conflict: invalid,
  tool_reference_unresolved: invalid,
  unsupported_charset: invalid,
  user_profile_not_found: notFound,
  user_profile_required: invalid,
  // 400, of files
  file_not_downloadable: invalid,
  storage_quota_exceeded: invalid,
  // 402, 403, 404
  linked_organization_billing_unavailable: billing,
  linked_organization_spend_limit_reached: billing,
  sandbox_egress_restricted: denied,
  user_profile_billing_not_authorized: denied,
  user_profile_not_billable: denied,
  file_expired: notFound,
  thread_not_found: notFound,
  // 409, 413
  skill_read_blocked_undecryptable: conflictForGood,
  request_body_too_large_after_decoding: tooLarge,
  // 429: one type, two opposite meanings
  contract_spend_limit_reached: spendLimit,
  enforced_spend_limit_reached: spendLimit,
  ramp_limit_exceeded: rateLimited,
  // 503, 529
  // "A few minutes", says the API: the longer waits of an overload fit better than those of a server error.
  cmek_context_unavailable: row("InternalServerError", "overloaded"),
  cmek_key_unreachable: serverError,
  compaction_unavailable: row("OverloadedError", "serverError"),
  // Administration endpoints, for clients that share these errors
  already_member: invalid,
  api_key_scope_missing: denied,
  bundle_attachment_not_supported: invalid,
  bundle_on_call: invalid,
  cannot_invite_emails_with_unverified_domains: invalid,
  cannot_remove_last_member: invalid,
  cannot_sign_out_managed_member: denied,
  cannot_sign_out_membership_admin: denied,
  cannot_sign_out_owner: denied,
  cannot_sign_out_primary_owner: invalid,
  cannot_sign_out_privileged_member: denied,
  cannot_sign_out_self: invalid,
  claude_tag_writes_not_enabled: denied,
  cmek_feature_unsupported: invalid,
  compliance_configuration_restricted: denied,
  concurrent_membership_change: conflict,
  email_domain_not_allowed: invalid,
  environment_archived: invalid,
  environment_create_disabled: denied,
  environment_not_found: notFound,
  environment_update_disabled: denied,
  external_key_changed: conflict,
  external_key_in_workspace_policy: invalid,
  external_key_validation_failed: invalid,
  external_key_validation_timed_out: row("RequestTimeoutError", "timeout"),
  heartbeat_precondition_failed: conflictForGood,
  invalid_config_type_change: invalid,
  invalid_metadata: invalid,
  invite_already_exists: invalid,
  key_profile_mismatch: invalid,
  org_api_key_limit_exceeded: invalid,
  org_member_limit_exceeded: invalid,
  organization_level_scoped_api_key_required: denied,
  organization_not_enrolled_in_beta: denied,
  plugin_name_taken: conflictForGood,
  rbac_group_grants_owner_access: invalid,
  rbac_group_managed_settings_not_found: notFound,
  rbac_group_not_found: notFound,
  rbac_group_order_limit_exceeded: invalid,
  rbac_group_owner_access_unconfirmed: invalid,
  rbac_role_not_found: notFound,
  registration_pending: serverError,
  scan_failed: invalid,
  scan_pending: conflict,
  settings_document_limit_exceeded: invalid,
  settings_history_limit_exceeded: invalid,
  skill_name_taken: conflictForGood,
  slack_channel_set_up_environment_not_found: notFound,
  slack_channel_set_up_settings_conflict: conflictForGood,
  slack_channel_set_up_settings_refused: invalid,
  spend_limits_admin_api_writes_not_enabled: denied,
  workspace_api_key_limit_exceeded: invalid,
  workspace_member_limit_exceeded: invalid,
  workspace_policy_violation: denied
}

/**
 * The row of every `error.type`. `request_too_large` is sent by the API but missing from the SDK's types.
 *
 * @category tables
 * @since 0.1.0
 */
export const errorTypes: Readonly<Record<ErrorType | "request_too_large", Row<ApiErrorTag>>> = {
  invalid_request_error: invalid,
  authentication_error: row("AuthenticationError", "stop"),
  billing_error: billing,
  permission_error: denied,
  not_found_error: notFound,
  request_too_large: tooLarge,
  rate_limit_error: rateLimited,
  timeout_error: gatewayTimeout,
  api_error: serverError,
  overloaded_error: overloaded,
  conflict_error: conflict,
  memory_precondition_failed_error: conflictForGood,
  memory_path_conflict_error: conflictForGood
}

/**
 * The row of every HTTP status with a meaning of its own. Any other 4xx is an `InvalidRequestError` that stops, any other
 * 5xx an `InternalServerError` that is retried.
 *
 * @category tables
 * @since 0.1.0
 */
export const statuses: Readonly<Record<number, Row>> = {
  400: invalid,
  401: row("AuthenticationError", "stop"),
  402: billing,
  403: denied,
  404: notFound,
  408: row("RequestTimeoutError", "timeout"),
  409: conflict,
  412: invalid,
  413: tooLarge,
  422: invalid,
  429: rateLimited,
  431: invalid,
  // Written by a proxy that saw its client go. We did not go (that is an interrupt), so the hop in between failed.
  499: row("ConnectionError", "connection"),
  501: row("InternalServerError", "stop"),
  504: gatewayTimeout,
  529: overloaded
}

/**
 * What became of every error class of the SDK: the error it maps to, or which part of it decides. A class that the SDK
 * adds is a compile error here.
 *
 * @category tables
 * @since 0.1.0
 */
export const sdkErrorClasses: Readonly<
  Record<SdkErrorClass, ApiErrorTag | "ConnectionError" | "AttemptTimeoutError" | "by code, type, status" | "by cause">
> = {
  AnthropicError: "by cause",
  RetryableError: "by cause",
  APIError: "by code, type, status",
  APIUserAbortError: "ConnectionError",
  APIConnectionError: "ConnectionError",
  APIConnectionTimeoutError: "AttemptTimeoutError",
  BadRequestError: "InvalidRequestError",
  AuthenticationError: "AuthenticationError",
  PaymentRequiredError: "BillingError",
  PermissionDeniedError: "PermissionDeniedError",
  NotFoundError: "NotFoundError",
  RequestTimeoutError: "RequestTimeoutError",
  ConflictError: "ConflictError",
  PreconditionFailedError: "InvalidRequestError",
  ContentTooLargeError: "RequestTooLargeError",
  UnprocessableEntityError: "InvalidRequestError",
  RateLimitError: "RateLimitError",
  RequestHeaderFieldsTooLargeError: "InvalidRequestError",
  ClientClosedRequestError: "ConnectionError",
  InternalServerError: "InternalServerError",
  NotImplementedError: "InternalServerError",
  ServiceUnavailableError: "InternalServerError",
  GatewayTimeoutError: "GatewayTimeoutError",
  OverloadedError: "OverloadedError"
}

/**
 * The parts of a failure that the API defines as stable. `message` is not one of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Symptoms {
  readonly errorCode?: string | undefined
  readonly errorType?: string | undefined
  readonly status?: number | undefined
}

/**
 * Statuses that mean the same whatever `error.type` stands beside them: proxies and gateways send these with types that
 * vary.
 *
 * @category tables
 * @since 0.1.0
 */
export const decisiveStatuses: ReadonlySet<number> = new Set([408, 410, 412, 418, 422, 431, 499, 501])

const lookup = <A>(table: Readonly<Record<string, A>>, key: string | undefined): A | undefined =>
  key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined

const lookupStatus = (status: number): Row => statuses[status] ?? (status < 500 ? invalid : serverError)

/**
 * What these symptoms mean. The code decides, else the type, else the status.
 *
 * **Details**
 *
 * Two refinements, both where a type is less precise than the status beside it: a decisive status wins over the type, and
 * a 5xx is never taken for the caller's fault. A status without a row of its own falls back to its class (4xx stops, 5xx
 * is retried), and no symptoms at all are a server error.
 *
 * **Example** (Reading a proxy's answer without a body)
 *
 * ```ts
 * import { classify } from "@effect-claude/client/Classification"
 * import { assert } from "@effect/vitest"
 *
 * assert.deepStrictEqual(classify({ status: 502 }), { tag: "InternalServerError", retry: "serverError" })
 * assert.deepStrictEqual(classify({ status: 418 }), { tag: "InvalidRequestError", retry: "stop" })
 * ```
 *
 * @category classification
 * @since 0.1.0
 */
export const classify = (symptoms: Symptoms): Row => {
  const { status } = symptoms
  const byCode = lookup(errorCodes, symptoms.errorCode)
  if (byCode !== undefined) return byCode
  if (status !== undefined && decisiveStatuses.has(status)) return lookupStatus(status)
  const byType = lookup(errorTypes, symptoms.errorType)
  if (byType === undefined) return status === undefined ? serverError : lookupStatus(status)
  return status !== undefined && status >= 500 && byType.retry === "stop" ? lookupStatus(status) : byType
}

/**
 * Whether no table knows these symptoms, so that only a server's own `x-should-retry: true` can tell.
 *
 * **Example** (Asking whether a status has a meaning of its own)
 *
 * ```ts
 * import { isUnlisted } from "@effect-claude/client/Classification"
 * import { assert } from "@effect/vitest"
 *
 * assert.isTrue(isUnlisted({ status: 425 }))
 * assert.isFalse(isUnlisted({ status: 429 }))
 * ```
 *
 * @category classification
 * @since 0.1.0
 */
export const isUnlisted = (symptoms: Symptoms): boolean =>
  lookup(errorCodes, symptoms.errorCode) === undefined
  && lookup(errorTypes, symptoms.errorType) === undefined
  && (symptoms.status === undefined
    || (statuses[symptoms.status] === undefined && !decisiveStatuses.has(symptoms.status)))

import * as FaultStep from "@effect-claude/testing/FaultStep"
import { apiError, type Entry } from "./Entry.ts"

type Row = readonly [status: number, type: string, own: string, codes: ReadonlyArray<FaultStep.ErrorCode>]

/** What the facts say of the codes: status, type, and what to do. */
const rows: ReadonlyArray<Row> = [
  [400, "invalid_request_error", "ConflictError conflict", ["thread_continue_in_flight"]],
  [400, "invalid_request_error", "ConflictError stop", ["thread_already_continued"]],
  [400, "invalid_request_error", "InvalidRequestError stop", [
    "thread_fingerprint_mismatch",
    "thread_unsupported_request",
    "compaction_block_ambiguous",
    "compaction_block_misplaced",
    "compaction_content_mismatch",
    "compaction_nothing_to_summarize",
    "compaction_signature_invalid",
    "compaction_tool_changes_mismatch",
    "compaction_incomplete_turn",
    "compaction_too_many_tool_references",
    "available_tools_limit_exceeded",
    "tool_name_conflict",
    "tool_reference_unresolved",
    "request_body_encoding_invalid",
    "request_body_encoding_unsupported",
    "claude_code_version_too_old",
    "user_profile_required",
    "file_not_downloadable",
    "storage_quota_exceeded",
    "unsupported_charset"
  ]],
  [400, "invalid_request_error", "PermissionDeniedError stop", [
    "organization_on_hold",
    "claude_code_key_creator_not_member",
    "cmek_key_disabled",
    "cmek_key_network_blocked",
    "organization_type_not_supported",
    "parent_organization_required",
    "organization_not_enrolled_in_beta",
    "workspace_policy_violation"
  ]],
  [400, "invalid_request_error", "RequestTimeoutError timeout", [
    "request_body_timeout",
    "external_key_validation_timed_out"
  ]],
  [400, "invalid_request_error", "NotFoundError stop", ["user_profile_not_found"]],
  [402, "billing_error", "BillingError stop", [
    "linked_organization_billing_unavailable",
    "linked_organization_spend_limit_reached"
  ]],
  [403, "permission_error", "PermissionDeniedError stop", [
    "user_profile_billing_not_authorized",
    "user_profile_not_billable",
    "sandbox_egress_restricted",
    "api_key_scope_missing",
    "cannot_sign_out_managed_member",
    "cannot_sign_out_membership_admin",
    "cannot_sign_out_owner",
    "cannot_sign_out_privileged_member",
    "claude_tag_writes_not_enabled",
    "compliance_configuration_restricted",
    "environment_create_disabled",
    "environment_update_disabled",
    "organization_level_scoped_api_key_required",
    "spend_limits_admin_api_writes_not_enabled"
  ]],
  [404, "not_found_error", "NotFoundError stop", [
    "thread_not_found",
    "file_expired",
    "environment_not_found",
    "rbac_group_managed_settings_not_found",
    "rbac_group_not_found",
    "rbac_role_not_found",
    "slack_channel_set_up_environment_not_found"
  ]],
  [409, "conflict_error", "ConflictError stop", [
    "skill_read_blocked_undecryptable",
    "plugin_name_taken",
    "skill_name_taken",
    "slack_channel_set_up_settings_conflict"
  ]],
  [409, "conflict_error", "ConflictError conflict", [
    "concurrent_membership_change",
    "external_key_changed",
    "scan_pending"
  ]],
  [412, "invalid_request_error", "ConflictError stop", ["heartbeat_precondition_failed"]],
  [413, "request_too_large", "RequestTooLargeError stop", ["request_body_too_large_after_decoding"]],
  [429, "rate_limit_error", "RateLimitError rateLimited", ["ramp_limit_exceeded"]],
  [429, "rate_limit_error", "SpendLimitError stop", ["enforced_spend_limit_reached", "contract_spend_limit_reached"]],
  [503, "api_error", "InternalServerError serverError", ["cmek_key_unreachable", "registration_pending"]],
  [503, "api_error", "InternalServerError overloaded", ["cmek_context_unavailable"]],
  [529, "overloaded_error", "OverloadedError serverError", ["compaction_unavailable"]],
  // Of endpoints for administration.
  [400, "invalid_request_error", "InvalidRequestError stop", [
    "already_member",
    "bundle_attachment_not_supported",
    "bundle_on_call",
    "cannot_invite_emails_with_unverified_domains",
    "cannot_remove_last_member",
    "cannot_sign_out_primary_owner",
    "cannot_sign_out_self",
    "cmek_feature_unsupported",
    "email_domain_not_allowed",
    "environment_archived",
    "external_key_in_workspace_policy",
    "external_key_validation_failed",
    "invalid_config_type_change",
    "invalid_metadata",
    "invite_already_exists",
    "key_profile_mismatch",
    "org_api_key_limit_exceeded",
    "org_member_limit_exceeded",
    "rbac_group_grants_owner_access",
    "rbac_group_order_limit_exceeded",
    "rbac_group_owner_access_unconfirmed",
    "scan_failed",
    "settings_document_limit_exceeded",
    "settings_history_limit_exceeded",
    "slack_channel_set_up_settings_refused",
    "workspace_api_key_limit_exceeded",
    "workspace_member_limit_exceeded"
  ]]
]

/** The SDK names its classes after the codes. */
const className = (code: FaultStep.ErrorCode): string => `${code.split("_").map(capitalized).join("")}Error`

const capitalized = (word: string): string => abbreviations[word] ?? word.charAt(0).toUpperCase() + word.slice(1)

const abbreviations: { readonly [word: string]: string } = { api: "API", cmek: "CMEK", rbac: "RBAC" }

/** A class of the SDK without the mark of those that belong to a beta. */
export const withoutBeta = (what: string): string => what.replace(/^Beta(?=[A-Z])/, "")

export const errorCodes: ReadonlyArray<Entry> = rows.flatMap(([status, type, own, codes]) =>
  codes.map((code): Entry => ({
    ...apiError("A error codes", "ofCode", `code ${code}`, FaultStep.ofCode(code), className(code), own),
    // By the table above, not by what the step says of itself.
    sdk: `${className(code)} ${status} ${type} ${code}`,
    ai: `APICallError ${status} ${type}`,
    curl: `0 ${status}`
  }))
)

/**
 * The `effect-claude` command, for programs that embed it.
 *
 * @since 0.1.0
 */
export * as Cli from "./Cli.ts"

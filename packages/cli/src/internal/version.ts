import { createRequire } from "node:module"

const manifest: unknown = createRequire(import.meta.url)("@effect-claude/cli/package.json")

/** The version of this package, as its manifest states it. */
export const version: string = typeof manifest === "object" && manifest !== null && "version" in manifest
  ? String(manifest.version)
  : "unknown"

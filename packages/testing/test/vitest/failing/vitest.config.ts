import { defineConfig } from "vitest/config"

/** For the tests that fail on purpose; nothing else runs them. */
export default defineConfig({
  test: { root: import.meta.dirname, include: ["*.failing.ts"], reporters: ["default"] }
})

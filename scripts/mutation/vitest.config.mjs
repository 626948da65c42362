import { readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer } from "vitest/node"
import { root } from "../Workspace.mjs"

const session = /** @type {string} */ (process.env["MUTATION_SESSION"])
/** @type {Record<string, string>} */
const instrumented = JSON.parse(readFileSync(join(session, "instrumented.json"), "utf8"))

/** @type {Array<string>} */
const order = JSON.parse(process.env["MUTATION_FILES"] ?? "[]")

/** A mutant that takes effect while modules load is on from the start, and the tests run as ever. */
const atLoad = process.env["__STRYKER_ACTIVE_MUTANT__"] !== undefined

/** Quick tests first: what they notice, the slow ones need not run for. */
class GivenOrder extends BaseSequencer {
  /**
   * @override
   * @param {Array<import("vitest/node").TestSpecification>} files
   */
  async sort(files) {
    /** @param {import("vitest/node").TestSpecification} file */
    const place = (file) => order.indexOf(relative(root, file.moduleId).replaceAll("\\", "/"))
    return [...files].sort((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  root,
  plugins: [{
    name: "mutants",
    enforce: "pre",
    load: (id) => instrumented[relative(root, id).replaceAll("\\", "/")]
  }],
  test: {
    include: order,
    ...(atLoad ? { bail: 1 } : { runner: fileURLToPath(new URL("MutationRunner.mjs", import.meta.url)) }),
    // A module that was cached without its mutants, or with those of another session, would be taken for this one.
    fsModuleCache: false,
    pool: "forks",
    maxWorkers: 1,
    sequence: { sequencer: GivenOrder },
    // The runner has limits of its own; one test goes through all of its mutants.
    testTimeout: atLoad ? 15_000 : 3_600_000,
    hookTimeout: 60_000,
    dangerouslyIgnoreUnhandledErrors: true,
    silent: true,
    reporters: ["dot"]
  }
})

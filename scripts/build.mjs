/** Compiles the published packages to `dist`: JavaScript, declarations, and source maps. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { runNode } from "./Subprocess.mjs"
import { packageBin, publicPackages } from "./Workspace.mjs"

/**
 * Always from scratch: a file left over from an earlier build would be published.
 *
 * @returns {Promise<import("./Subprocess.mjs").Finished>}
 */
export const build = async () => {
  const packages = publicPackages()
  for (const { folder } of packages) rmSync(join(folder, "dist"), { recursive: true, force: true })
  const projects = packages.map(({ folder }) => join(folder, "tsconfig.build.json"))
  const compiled = await runNode([packageBin("typescript", "tsc"), "-b", ...projects])
  if (compiled.code !== 0) return compiled
  let output = compiled.output
  for (const { folder } of packages) {
    const dist = join(folder, "dist")
    // Bundlers drop an unused call only where a comment says that it is pure, and Effect code is made of such calls.
    const annotated = await runNode([
      packageBin("@babel/cli", "babel"),
      dist,
      "--out-dir",
      dist,
      "--source-maps",
      "--no-babelrc",
      "--plugins",
      "annotate-pure-calls"
    ])
    output += annotated.output
    if (annotated.code !== 0) return { ...annotated, output }
  }
  return { ...compiled, output }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { code, output } = await build()
  process.stdout.write(output)
  process.exitCode = code
}

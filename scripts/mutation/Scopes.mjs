/**
 * What is mutated, and the tests that have to notice: those that keep to memory and virtual time. Tests over real sockets
 * and storms are left out; each of them would run once for every mutant that it reaches.
 *
 * @type {Readonly<Record<string, { readonly sources: string, readonly tests: ReadonlyArray<string> }>>}
 */
export const scopes = {
  resilience: {
    sources: "packages/resilience/src",
    tests: ["packages/resilience/test"]
  },
  client: {
    sources: "packages/client/src",
    tests: [
      "packages/client/test",
      "packages/testing/test/batches",
      "packages/testing/test/pipeline",
      "packages/testing/test/streams",
      "packages/testing/test/structured"
    ]
  }
}

/** Simulations and storms take seconds each, and what they check is the whole. */
export const leftOut = /simulation|storm|Memory/

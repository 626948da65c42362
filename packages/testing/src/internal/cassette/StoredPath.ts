import type { Digest } from "./Digest.ts"

const parameters: ReadonlySet<string> = new Set(["after_id", "before_id", "beta", "limit", "page", "scope_id"])

/** Where a gateway has put the API; of an address without a version of it, nothing. */
export const pathBeforeApi = ({ pathname }: URL): string => pathname.slice(0, Math.max(0, pathname.indexOf("/v1/")))

/**
 * The path of a request from the version of the API on, with its query: where a gateway has put the API changes nothing in
 * what is asked. A parameter that is not the API's is a digest.
 */
export const storedPath = (url: URL, digest: Digest, clean: (text: string) => string): string => {
  const path = clean(url.pathname.slice(pathBeforeApi(url).length))
  const query = [...url.searchParams]
    .map(([name, value]) =>
      parameters.has(name)
        ? `${name}=${encodeURIComponent(clean(value))}`
        : `${digest.field(name)}=${digest.text(value)}`
    )
    .sort()
  return query.length === 0 ? path : `${path}?${query.join("&")}`
}

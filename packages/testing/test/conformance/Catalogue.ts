import { connections } from "./Connections.ts"
import type { Entry } from "./Entry.ts"
import { errorCodes } from "./ErrorCodes.ts"
import { httpErrors } from "./HttpErrors.ts"
import { results } from "./Results.ts"
import { streams } from "./Streams.ts"
import { unreached } from "./Unreached.ts"

/** Every fault that the fake API can make, by the way in which it is seen. */
export const catalogue: ReadonlyArray<Entry> = [
  ...httpErrors,
  ...errorCodes,
  ...unreached,
  ...connections,
  ...streams,
  ...results
]

import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** The heap in use when everything that can be collected is. */
export const heap = async (): Promise<number> => {
  for (let round = 0; round < 4; round++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

export const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`

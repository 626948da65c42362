import { isContent, type MessageEvent } from "../../MessageEvents.ts"
import { isHandover } from "./blocks.ts"

/**
 * Tells of the events of one stream after another, in order, which carry content. The block that marks where one model of the
 * API's own fallback handed over to the next shows nothing, so it commits to nothing.
 */
export const makeContentTest = (): (event: MessageEvent) => boolean => {
  let handover: number | undefined
  return (event) => {
    if (event.type === "message_start") handover = undefined
    if (event.type === "content_block_start") handover = isHandover(event.content_block) ? event.index : undefined
    return isContent(event) && !("index" in event && event.index === handover)
  }
}

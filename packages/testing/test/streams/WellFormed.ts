import type { MessageEvent } from "@effect-claude/client/MessageEvents"
import { assert } from "@effect/vitest"

/** Checks that these are the events of one whole message: one start, one end, blocks one after the other and in order. */
export const checkWellFormed = (events: ReadonlyArray<MessageEvent>): void => {
  let started = false
  let next = 0
  let open: number | undefined
  let ended = false
  let stopped = false
  const at = (index: number) => `event ${index} of ${JSON.stringify(events)}`
  for (const [index, event] of events.entries()) {
    assert.isFalse(stopped, at(index))
    switch (event.type) {
      case "ping":
        break
      case "message_start":
        assert.isFalse(started, at(index))
        started = true
        break
      case "content_block_start":
        assert.isTrue(started, at(index))
        assert.isUndefined(open, at(index))
        assert.strictEqual(event.index, next, at(index))
        open = next++
        break
      case "content_block_delta":
        assert.strictEqual(event.index, open, at(index))
        break
      case "content_block_stop":
        assert.strictEqual(event.index, open, at(index))
        open = undefined
        break
      case "message_delta":
        assert.isUndefined(open, at(index))
        ended = true
        break
      case "message_stop":
        assert.isTrue(ended, at(index))
        stopped = true
        break
      case "restart":
        assert.isTrue(started, at(index))
        assert.isAtMost(event.from, next, at(index))
        next = event.from
        open = open !== undefined && open < event.from ? open : undefined
        if (event.from === 0) started = false
        break
    }
  }
  assert.isTrue(stopped)
}

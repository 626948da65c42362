import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { type Flight, flightContext } from "./Flights.ts"

type Chunk<A> = NonEmptyReadonlyArray<A>

/** What was emitted, in order. A consumer holds the link it has read, so what all have read is garbage. */
interface Link<A> {
  readonly chunk: Chunk<A> | undefined
  next: Link<A> | undefined
}

/**
 * A stream that runs once for several consumers, each of which sees it from its first element.
 *
 * Upstream is pulled when the consumer that is furthest asks for more, so a slow consumer holds nobody up: what it has not
 * read yet waits for it. One that comes late starts at the first link, which is kept until `replay` elements have been
 * emitted; from then on nobody can join.
 */
export class StreamFlight<A, E> implements Flight<never, E | Cause.Done> {
  fiber: Fiber.Fiber<never, E | Cause.Done> | undefined
  waiting = 0
  private first: Link<A> | undefined
  private last: Link<A>
  private emitted = 0
  private exit: Exit.Exit<never, E | Cause.Done> | undefined
  private readonly asking = new Set<() => void>()
  private isWanted = false
  private serve: (() => void) | undefined
  private readonly replay: number
  private readonly onClosed: () => void

  /** `onClosed` is called once, when nobody can join any more. */
  constructor(replay: number, onClosed: () => void) {
    this.replay = replay
    this.onClosed = onClosed
    this.first = this.last = { chunk: undefined, next: undefined }
  }

  start<R>(stream: Stream.Stream<A, E, R>, context: Context.Context<R>): void {
    const serving = Effect.scoped(Effect.flatMap(Stream.toPull(stream), (pull) =>
      Effect.forever(
        Effect.flatMap(this.demand, () => Effect.map(pull, (chunk) => this.publish(chunk))),
        { disableYield: true }
      )))
    const fiber = Effect.runForkWith(flightContext(context, this))(serving)
    this.fiber = fiber
    // The fiber ends after upstream has released what it held, so that is when consumers see the end.
    fiber.addObserver((exit) => {
      this.exit = exit
      this.close()
      this.wake()
    })
  }

  /** The pull of one more consumer, who reads from where the flight is now: from the first element, if it can be joined. */
  consume(): Pull.Pull<Chunk<A>, E> {
    let read = this.first ?? this.last
    const more = this.wait(() => read.next === undefined && this.exit === undefined)
    const pull: Pull.Pull<Chunk<A>, E> = Effect.suspend(() => {
      const { next } = read
      if (next?.chunk !== undefined) {
        read = next
        return Effect.succeed(next.chunk)
      }
      return this.exit ?? Effect.flatMap(more, () => pull)
    })
    return pull
  }

  private readonly demand = Effect.callback<void>((resume) => {
    if (this.isWanted) {
      this.isWanted = false
      resume(Effect.void)
    } else {
      this.serve = () => resume(Effect.void)
    }
  })

  /** Asks upstream for more, unless what `isMissing` looks for came while the consumer was not looking. */
  private wait(isMissing: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (!isMissing()) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      this.asking.add(wake)
      const { serve } = this
      this.serve = undefined
      if (serve === undefined) this.isWanted = true
      else serve()
      return Effect.sync(() => this.asking.delete(wake))
    })
  }

  private publish(chunk: Chunk<A>): void {
    const link: Link<A> = { chunk, next: undefined }
    this.last.next = link
    this.last = link
    this.emitted += chunk.length
    // Everybody who asked so far is served by this chunk.
    this.isWanted = false
    if (this.emitted > this.replay) this.close()
    this.wake()
  }

  private close(): void {
    if (this.first === undefined) return
    this.first = undefined
    this.onClosed()
  }

  private wake(): void {
    const woken = [...this.asking]
    this.asking.clear()
    for (const wake of woken) wake()
  }
}

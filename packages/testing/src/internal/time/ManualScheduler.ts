import type * as Scheduler from "effect/Scheduler"

/** A scheduler whose tasks wait until they are asked for, so that a fiber can be taken through its work by hand. */
export class ManualScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  #tasks: Array<() => void> = []

  shouldYield(): boolean {
    return false
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => {
        this.#tasks.push(task)
      },
      flush: () => this.runAll()
    }
  }

  /** Runs what waits now; the tasks that come of it wait for the next time. */
  runWaiting(): void {
    const tasks = this.#tasks
    this.#tasks = []
    for (const task of tasks) task()
  }

  runAll(): void {
    while (this.#tasks.length > 0) this.runWaiting()
  }
}

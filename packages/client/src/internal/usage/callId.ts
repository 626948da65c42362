let last = 0

/** Numbers of calls, which grow within a process. */
export const nextCallId = (): number => ++last

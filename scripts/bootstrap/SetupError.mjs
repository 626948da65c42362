/** A failure before the command could start, with what the reader can do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {string} advice
   */
  constructor(message, advice) {
    super(message)
    this.name = "SetupError"
    this.advice = advice
  }
}

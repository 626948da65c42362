declare module "opossum" {
  /** The part of the library that is measured here; it comes without types. */
  export default class CircuitBreaker<Args extends ReadonlyArray<unknown>, A> {
    constructor(action: (...args: Args) => Promise<A>, options: {
      readonly timeout?: number | false
      readonly errorThresholdPercentage?: number
      readonly resetTimeout?: number
      readonly volumeThreshold?: number
    })
    fire(...args: Args): Promise<A>
    open(): void
  }
}

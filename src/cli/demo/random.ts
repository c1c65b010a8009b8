/**
 * A cheap generator for the hot loops: a counter through a mixing function (the finalizer of
 * MurmurHash3, as splitmix32 uses it). The state stays a small integer, so nothing is allocated.
 */

/** Mix all bits of a 32-bit integer; a bijection. Gives a signed 32-bit integer. */
export function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

export class Random {
  #state: number;

  /** `seed` is the run's; `stream` tells its users (threads) apart. */
  constructor(seed: number, stream: number) {
    this.#state = mix(mix(seed) ^ Math.imul(stream + 1, 0x9e3779b1));
  }

  /** 32 random bits, as a signed integer. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return mix(this.#state);
  }

  /** A whole number from 0 to `count` - 1; `count` at most 2^32. */
  below(count: number): number {
    return Math.floor(((this.bits() >>> 0) / 0x1_0000_0000) * count);
  }
}

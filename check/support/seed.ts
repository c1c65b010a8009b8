/** The seed of a randomised test: printed, and taken from QUIESCE_SEED to run the same again. */

/** A seed for `fast-check`, or for `Random`. */
export function seedOf(test: string): number {
  const given = process.env.QUIESCE_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`QUIESCE_SEED must be a whole number; got ${given}`);
  console.log(`${test}: QUIESCE_SEED=${seed}`);
  return seed;
}

/** Random numbers that a seed and a stream determine (mulberry32). */
export class Random {
  #state: number;

  /** @param stream tells the users of one seed (threads, rounds) apart */
  constructor(seed: number, stream = 0) {
    this.#state = (seed ^ Math.imul(stream + 1, 0x9e3779b1)) | 0;
  }

  /** 32 random bits, not negative. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.bits() / 2 ** 32) * count);
  }

  /** A whole number from `low` to `high`. */
  from(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** 32 bits that a number determines: the check field that goes with it. */
export function checkOf(value: number): number {
  let x = (value ^ 0x5bd1e995) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Whole numbers from 0 to `below - 1`. */
export function randomOf(seed: number): (below: number) => number {
  const random = new Random(seed);
  return (below) => random.below(below);
}

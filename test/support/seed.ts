/** The seed of a randomised test: printed, and taken from QUIESCE_SEED to run the same again. */

/** A seed for `fast-check`, or for `randomOf`. */
export function seedOf(test: string): number {
  const given = process.env.QUIESCE_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new Error(`QUIESCE_SEED must be a whole number; got ${given}`);
  console.log(`${test}: QUIESCE_SEED=${seed}`);
  return seed;
}

/** Whole numbers from 0 to `below - 1` (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

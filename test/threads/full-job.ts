/** What threads of the test of a full arena are told. */

export interface FullJob {
  readonly seed: number;
  readonly number: number;
  /** The thread changes only every so many-th key, from this one on. */
  readonly share: number;
  readonly shares: number;
}

/** Keys of all: more than the arena can hold. */
export const KEYS = 60_000;

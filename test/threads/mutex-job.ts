/** Words of a block whose first is the mutex. */
export const COUNTER = 1;
export const INSIDE = 2;
export const PARKED = 3;
export const GO = 4;

export interface MutexJob {
  /** A lock that sleeps, or one that spins. */
  readonly kind: "mutex" | "spin";
  readonly role: "count" | "die" | "takeOver";
  readonly index: number;
  readonly block: number;
  readonly rounds: number;
  readonly seed: number;
}

/** What one who took the lock after its owner's death saw. */
export interface NextOwner {
  readonly ownerDied: boolean;
  /** How many took it before, since the death. */
  readonly order: number;
}

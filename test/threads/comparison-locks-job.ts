/** Words behind the lock: two that are equal whenever nobody writes, and what starts all at once. */
export const PAIR: readonly [number, number] = [16, 17];
export const GO = 2;

export interface LocksJob {
  readonly kind: "rw" | "seq";
  readonly role: "write" | "look" | "die";
  readonly block: number;
  readonly rounds: number;
}

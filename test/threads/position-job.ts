/** Words of a position's gate. */
export const ARRIVED = 0;
export const LET_GO = 1;
export const LEFT = 2;

export interface PositionJob {
  readonly position: "idle" | "offline" | "lookups" | "views" | "section" | "section in at" | "holder" | "waiting for a lock";
  readonly gate: SharedArrayBuffer;
  /** Address of a mutex. */
  readonly lock: number;
}

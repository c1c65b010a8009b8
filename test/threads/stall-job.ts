/** Words of a staller's gate. */
export const ARRIVED = 0;
export const LET_GO = 1;

export interface StallJob {
  readonly gate: SharedArrayBuffer;
  /** A section that blocks its thread, one left open over turns, or one that awaits. */
  readonly section: "blocking" | "left open" | "awaiting";
}

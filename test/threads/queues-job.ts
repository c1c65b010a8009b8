/** Words of a node behind its links: who made it, and its number. */
export const PRODUCER = 2;
export const NUMBER = 3;
export const NODE_BYTES = 16;
/** Whom nodes belong to. */
export const TAG = -77;

export interface QueuesJob {
  readonly role: "produce" | "consume";
  readonly index: number;
  /** Producers put into the first; the consumer moves all to the second by splice, and takes from there. */
  readonly queues: readonly [number, number];
  /** Nodes that the consumer is done with, for producers. */
  readonly spare: number;
  /** Nodes that a producer makes. */
  readonly count: number;
}

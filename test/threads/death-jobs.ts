/** What threads of the death test are told. */

/** What victims do. */
export const KINDS = ["lookup", "set", "text", "load", "alloc", "section", "retire", "attach"] as const;
export type Kind = (typeof KINDS)[number];

export interface DeathJob {
  readonly kind: Kind;
  readonly seed: number;
  readonly number: number;
  /** Marks what it allocates. */
  readonly tag: number;
}

export interface SurvivorJob {
  readonly role: "reader" | "writer";
  readonly seed: number;
  /** How many victims are dead and reaped, then the tags of what they allocated; a last word that stays 0. */
  readonly graves: SharedArrayBuffer;
}

export interface SurvivorResult {
  readonly done: number;
  /** Live blocks of the dead that were freed. */
  readonly freed: number;
}

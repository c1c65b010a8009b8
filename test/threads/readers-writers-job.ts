/**
 * What the threads of readers-writers.test.ts are told, and tell.
 *
 *   keys   0 ........................ OWNED | OWNED .............. ALL
 *          each writer's own spans, always  | anybody's: set, deleted,
 *          covered, versions count up       | split and joined at random
 */

export const SPANS = 48;
export const SPAN = 16;
export const OWNED: number = SPANS * SPAN;
export const ALL: number = OWNED + 512;

export interface RwJob {
  readonly role: "reader" | "writer";
  /** Which writer, and of how many: span s belongs to writer s % writers. */
  readonly index: number;
  readonly writers: number;
  readonly seed: number;
}

export interface RwResult {
  readonly done: number;
  /** Of a writer: the version it gave each key that it owns. */
  readonly versions: readonly number[];
}

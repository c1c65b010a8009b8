/** The seeded bugs of checked-bugs.test.ts. */

import type { ShadowKind } from "../../check/shadow.js";

/** Words of a block that both threads share. */
export const POINTER = 0;
export const FLAG = 1;
export const WORD = 2;

export interface Bug {
  readonly kind: ShadowKind;
  /** What is done, as functions of checked-bugs-worker.ts that must stand in the report, one in each stack. */
  readonly sites: readonly [string, string];
  /** The name of the word that it is found at. */
  readonly word: RegExp;
}

const COMMON = /\bpage \d+\+\d+: /;

/** By name, as sentences of what is wrong. */
export const bugs = {
  "a block is published by a plain write": { kind: "race", sites: ["publishPlainly", "lookUp"], word: COMMON },
  "a block is published before it is filled": { kind: "race", sites: ["publishTooEarly", "lookUp"], word: COMMON },
  "a block is freed without a grace period": { kind: "use-after-free", sites: ["freeAtOnce", "lookUpLate"], word: COMMON },
  "a block that was read is freed without a grace period": { kind: "race", sites: ["freeAtOnce", "lookUpEarly"], word: COMMON },
  "an atomic word is read plainly while it is written": { kind: "race", sites: ["storeOften", "readPlainly"], word: COMMON },
  "a published immutable word is written": { kind: "immutable", sites: ["publishImmutable", "writePublished"], word: COMMON },
  "a word of a fresh block was never written": { kind: "uninitialised", sites: ["publishHalf", "readAll"], word: COMMON },
  "a word of the domain is written plainly": { kind: "race", sites: ["beAReader", "resetSequence"], word: /: GP_SEQ: / },
} as const satisfies Record<string, Bug>;

export type BugName = keyof typeof bugs;

export interface BugJob {
  readonly bug: BugName;
  readonly side: 0 | 1;
  readonly common: number;
  /** Three words, where the two meet without the checker knowing: what orders them in time, and nothing more. */
  readonly meeting: SharedArrayBuffer;
}

/** What a measuring thread is told and what it answers. */

import type { Kind } from "./data.js";
import type { How } from "./loops.js";

export interface ThreadData {
  readonly peer: string;
  readonly kind: Kind;
  readonly size: number;
  readonly seed: number;
  readonly directory: string;
  /** Of the first thread with this map; missing for that one. */
  readonly handle?: unknown;
  /** 0 for the first. */
  readonly thread: number;
  /** Whether the strings of all entries are kept and looked up by; only then is `held` possible. */
  readonly keepTexts: boolean;
  /** Whether the thread uses maps of the other kinds too, as large programs do. */
  readonly beside: boolean;
}

export type Job =
  /** So many lookups, after those of the last job. */
  | { readonly type: "get"; readonly how: How; readonly count: number }
  /** Lookups by numbers until a time (of `now()`), in turns. */
  | { readonly type: "read"; readonly until: number }
  /** Sets of keys that are there, until a time, in turns. */
  | { readonly type: "write"; readonly until: number; readonly rate?: number }
  | { readonly type: "end" };

export interface Answer {
  /** What went wrong: the answer has nothing else. */
  readonly failed?: string;
  /** Whether it is only that the peer is not installed. */
  readonly missing?: boolean;
  readonly ns?: number;
  /** Lookups or sets made. */
  readonly calls?: number;
  /** Ms that they took. */
  readonly ms?: number;
  /** Ms that the thread ran for them. */
  readonly ran?: number;
  /** Of the first answer. */
  readonly ready?: Ready;
}

export interface Ready {
  readonly handle: unknown;
  /** Bytes outside of the heap; of the heap; and of the heap when every entry has been read. */
  readonly bytes: number;
  readonly heap: number;
  readonly heapRead: number;
  /** Ns to set each entry, in turns. */
  readonly fill: number;
}

/** Ms on a clock that all threads share. */
export const now = (): number => performance.timeOrigin + performance.now();

/**
 * What the two checkers (IPv4 and IPv6) have in common: the tables they check against, and what
 * happens to a wrong answer. A checker makes one lookup, judges it, and allocates nothing while
 * answers are right.
 */

import type { Control } from "./control.js";
import type { Found } from "./maps.js";
import { indexesOf, isHot, type Kind, saltOf } from "./plan.js";
import { Random } from "./random.js";
import type { Ranges } from "./ranges.js";
import type { Verdict } from "./verify.js";
import { DESCRIBED, describeWrong, type WrongAnswer } from "./wrong.js";

export interface CheckerOptions {
  readonly base: Ranges;
  readonly gaps: Ranges;
  readonly control: Control;
  readonly seed: number;
  /** Number of this thread, from 0. */
  readonly thread: number;
  /** Told of the first few wrong answers, in words. */
  readonly onWrong: (text: string) => void;
}

export abstract class Checker {
  protected readonly base: Ranges;
  protected readonly gaps: Ranges;
  protected readonly random: Random;
  protected readonly salt: number;
  /** Indexes of the hot base ranges. */
  readonly hot: Uint32Array;
  /** What this thread knows of each half (plan.ts). */
  protected readonly floors: Uint32Array;
  readonly #options: CheckerOptions;
  #described = 0;
  #issued = 0;
  /** Lookups made. */
  lookups = 0;

  constructor(options: CheckerOptions) {
    const { base, gaps, seed, thread } = options;
    this.#options = options;
    this.base = base;
    this.gaps = gaps;
    this.random = new Random(seed, thread * 2 + (base.words === 1 ? 0 : 1));
    this.salt = saltOf(seed, base.words);
    this.hot = indexesOf(base.count, this.salt, isHot);
    this.floors = new Uint32Array(base.count * 2);
  }

  /** Look up some address of base range `index` and check the answer. */
  abstract covered(index: number): void;

  /** Look up some address of gap `index`, which must not be found. */
  abstract gap(index: number): void;

  /** A version not below `version` that was given out before now, if there is one. */
  protected issuedAtLeast(version: number): number {
    // The writer announces a version before it stores it, so it is enough to look when
    // the number seen is larger than the one known: most lookups need no atomic load.
    if (version > this.#issued) this.#issued = this.#options.control.issued;
    return this.#issued;
  }

  protected wrong(verdict: Verdict, address: Uint32Array, index: number, kind: Kind | undefined, found: Found | undefined, floor: number): void {
    const { control, thread, onWrong } = this.#options;
    control.addWrong(thread);
    if (this.#described >= DESCRIBED) return;
    this.#described++;
    const ranges = kind === undefined ? this.gaps : this.base;
    const name = `reader ${thread}`;
    const answer: WrongAnswer = { verdict, address, index, ranges, kind, found, floor, issued: control.issued, thread: name, lookup: this.lookups };
    onWrong(describeWrong(answer));
  }
}

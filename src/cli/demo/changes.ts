/**
 * The writer's updates: each picks a touched base range and splits, hands over, rejoins,
 * withdraws or re-adds it or one of its halves.
 */

import type { Change, Control } from "./control.js";
import { countryOf } from "./country.js";
import type { Entry, Family } from "./maps.js";
import { indexesOf, isHot, isTouched, Kind, kindOf, MAX_VERSION, saltOf } from "./plan.js";
import type { Tables } from "./protocol.js";
import type { Random } from "./random.js";
import { compareWords, copyWords, increment, midpoint } from "./words.js";

/** Changes to one family. */
export class Changer {
  readonly #family: Family;
  readonly #tables: Tables;
  readonly #salt: number;
  readonly #random: Random;
  readonly #control: Control;
  readonly #thread: number;
  readonly #touched: Uint32Array;
  readonly #hot: Uint32Array;
  readonly #lo: Uint32Array;
  readonly #hi: Uint32Array;
  readonly #entry: Entry = { country: 0, version: 0 };

  constructor(family: Family, tables: Tables, seed: number, random: Random, control: Control, thread: number) {
    this.#family = family;
    this.#tables = tables;
    this.#salt = saltOf(seed, family.words);
    this.#random = random;
    this.#control = control;
    this.#thread = thread;
    this.#touched = indexesOf(tables.base.count, this.#salt, isTouched);
    this.#hot = indexesOf(tables.base.count, this.#salt, isHot);
    this.#lo = new Uint32Array(family.words);
    this.#hi = new Uint32Array(family.words);
  }

  get touched(): number {
    return this.#touched.length;
  }

  /** One update, with a version that nobody has used. Gives what went wrong, if anything did. */
  update(version: number): string | undefined {
    if (version > MAX_VERSION) throw new RangeError(`version ${version} does not fit in 31 bits`);
    const { base, halves } = this.#tables;
    const random = this.#random;
    const among = this.#hot.length > 0 && random.bits() < 0 ? this.#hot : this.#touched;
    const index = among[random.below(among.length)] as number;
    const row = index * base.stride;
    const left = halves[2 * index] as number;
    const right = halves[2 * index + 1] as number;
    // Every update has its own version, so equal halves were written (or withdrawn) as one.
    const split = left !== right;
    const single = compareWords(base.data, row, base.data, row + base.words, base.words) === 0;
    // What to change: 0 the left half, 1 the right half, 2 all of it.
    const part = single ? 2 : random.below(3);
    const present = part === 2 ? (left & right & 1) === 0 : ((part === 0 ? left : right) & 1) === 0;
    const withdraw = present && kindOf(index, this.#salt) === Kind.roaming && random.below(2) === 0;

    this.#bounds(row, part);
    // Announced before it is stored: a reader that sees this version finds it announced.
    this.#control.issued = version;
    let problem: string | undefined;
    if (withdraw) {
      if (!this.#family.delete(this.#lo, this.#hi)) {
        problem = `the writer, update ${version}: delete found nothing of ${this.#family.name} base range ${index}, part ${part}, which was there`;
      }
    } else {
      this.#entry.country = countryOf(base.data[row + 2 * base.words] as number, version);
      this.#entry.version = version;
      this.#family.set(this.#lo, this.#hi, this.#entry);
    }
    const mark = version * 2 + (withdraw ? 1 : 0);
    if (part !== 1) halves[2 * index] = mark;
    if (part !== 0) halves[2 * index + 1] = mark;
    this.#control.addChange(this.#thread, changeOf(withdraw, present, part, split));
    return problem;
  }

  /** Set #lo and #hi to those of a part of the base range at `row`. */
  #bounds(row: number, part: number): void {
    const { data, words } = this.#tables.base;
    copyWords(this.#lo, 0, data, row, words);
    copyWords(this.#hi, 0, data, row + words, words);
    if (part === 0) {
      midpoint(this.#hi, data, row, row + words, words);
    } else if (part === 1) {
      midpoint(this.#lo, data, row, row + words, words);
      increment(this.#lo, 0, words);
    }
  }
}

function changeOf(withdraw: boolean, present: boolean, part: number, split: boolean): Change {
  if (withdraw) return "withdrawals";
  if (!present) return "readditions";
  if (part === 2) return split ? "rejoins" : "moves";
  return split ? "moves" : "splits";
}

/**
 * One IPv6 lookup and its check: checker4.ts for bounds of four words.
 */

import { Checker, type CheckerOptions } from "./checker.js";
import type { Map6, View6 } from "./maps.js";
import { Kind, kindOf } from "./plan.js";
import { extent6, judgeGap, judgeTouched, judgeUntouched, nextFloor, Verdict } from "./verify.js";
import { addWords, compareWords, copyWords, increment, midpoint } from "./words.js";

export class Checker6 extends Checker {
  readonly #map: Map6;
  readonly #address = new Uint32Array(4);
  readonly #mid = new Uint32Array(4);
  readonly #seenLo = new Uint32Array(4);
  readonly #seenHi = new Uint32Array(4);
  /** Country and version. */
  readonly #seen = new Uint32Array(2);
  readonly #see: (view: View6) => boolean;

  constructor(map: Map6, options: CheckerOptions) {
    super(options);
    this.#map = map;
    const seen = this.#seen;
    const seenLo = this.#seenLo;
    const seenHi = this.#seenHi;
    this.#see = (view) => {
      view.copyLo(seenLo);
      view.copyHi(seenHi);
      seen[0] = view.value.country;
      seen[1] = view.value.version;
      return true;
    };
  }

  override covered(index: number): void {
    const { data } = this.base;
    const row = index * 9;
    const base = data[row + 8] as number;
    const mid = this.#mid;
    const address = this.#address;
    midpoint(mid, data, row, row + 4, 4);
    this.#pick(data, row);

    this.lookups++;
    const found = this.#map.at(address, this.#see) === true;
    const country = this.#seen[0] as number;
    const version = this.#seen[1] as number;

    const extent = extent6(data, row, mid, this.#seenLo, this.#seenHi);
    const kind = kindOf(index, this.salt);
    if (kind === Kind.untouched) {
      const verdict = judgeUntouched(found, extent, base, country, version);
      if (verdict !== Verdict.right) this.#wrong(verdict, index, kind, found, 0);
      return;
    }
    const half = compareWords(address, 0, mid, 0, 4) > 0 ? 1 : 0;
    const floor = this.floors[2 * index + half] as number;
    const issued = this.issuedAtLeast(version);
    const verdict = judgeTouched(kind, found, half, extent, base, country, version, floor, issued);
    if (verdict === Verdict.right) this.floors[2 * index + half] = nextFloor(floor, found, version);
    else this.#wrong(verdict, index, kind, found, floor);
  }

  override gap(index: number): void {
    const { data } = this.gaps;
    const row = index * 9;
    copyWords(this.#mid, 0, data, row, 4);
    this.#pick(data, row);
    this.lookups++;
    const found = this.#map.at(this.#address, this.#see) === true;
    const verdict = judgeGap(found);
    if (verdict !== Verdict.right) this.#wrong(verdict, index, undefined, found, 0);
  }

  /** Set #address to one in [lo, hi], which are at data[row ..): sometimes a likely edge. */
  #pick(data: Uint32Array, row: number): void {
    const address = this.#address;
    const bits = this.random.bits();
    if ((bits & 12) === 0) {
      const edge = bits & 3;
      if (edge < 2) {
        copyWords(address, 0, data, row + 4 * edge, 4);
      } else {
        copyWords(address, 0, this.#mid, 0, 4);
        if (edge === 3 && compareWords(address, 0, data, row + 4, 4) < 0) increment(address, 0, 4);
      }
      return;
    }
    // A random distance up to hi - lo. Word by word from the top: as long as each word drawn is
    // that of hi - lo, the next must not be larger either; below the first smaller one all go.
    let borrow = 0;
    for (let word = 3; word >= 0; word--) {
      const difference = (data[row + 4 + word] as number) - (data[row + word] as number) - borrow;
      borrow = difference < 0 ? 1 : 0;
      address[word] = difference;
    }
    let free = false;
    for (let word = 0; word < 4; word++) {
      const largest = address[word] as number;
      if (free) {
        address[word] = this.random.bits();
      } else if (largest > 0) {
        const drawn = this.random.below(largest + 1);
        address[word] = drawn;
        free = drawn < largest;
      }
    }
    addWords(address, data, row, 4);
  }

  #wrong(verdict: Verdict, index: number, kind: Kind | undefined, found: boolean, floor: number): void {
    const [country, version] = this.#seen as unknown as [number, number];
    const got = found ? { lo: this.#seenLo, hi: this.#seenHi, country, version } : undefined;
    this.wrong(verdict, this.#address, index, kind, got, floor);
  }
}

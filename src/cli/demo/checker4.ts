/**
 * One IPv4 lookup and its check. The hot path, written out for plain numbers; checker6.ts is
 * the same for four words, and the two are best read side by side.
 */

import { Checker, type CheckerOptions } from "./checker.js";
import type { Map4, View4 } from "./maps.js";
import { Kind, kindOf } from "./plan.js";
import { extent4, judgeGap, judgeTouched, judgeUntouched, nextFloor, Verdict } from "./verify.js";

export class Checker4 extends Checker {
  readonly #map: Map4;
  /** What the last lookup saw: lo, hi, country, version. An array, since it never boxes a number. */
  readonly #seen = new Uint32Array(4);
  readonly #see: (view: View4) => boolean;

  constructor(map: Map4, options: CheckerOptions) {
    super(options);
    this.#map = map;
    const seen = this.#seen;
    this.#see = (view) => {
      seen[0] = view.lo;
      seen[1] = view.hi;
      seen[2] = view.value.country;
      seen[3] = view.value.version;
      return true;
    };
  }

  override covered(index: number): void {
    const { data } = this.base;
    const row = index * 3;
    const lo = data[row] as number;
    const hi = data[row + 1] as number;
    const base = data[row + 2] as number;
    const mid = lo + ((hi - lo) >>> 1);
    const address = this.#pick(lo, mid, hi);

    this.lookups++;
    const found = this.#map.at(address, this.#see) === true;
    const seen = this.#seen;
    const country = seen[2] as number;
    const version = seen[3] as number;

    const extent = extent4(lo, mid, hi, seen[0] as number, seen[1] as number);
    const kind = kindOf(index, this.salt);
    if (kind === Kind.untouched) {
      const verdict = judgeUntouched(found, extent, base, country, version);
      if (verdict !== Verdict.right) this.#wrong(verdict, address, index, kind, found, 0);
      return;
    }
    const half = address > mid ? 1 : 0;
    const floor = this.floors[2 * index + half] as number;
    const issued = this.issuedAtLeast(version);
    const verdict = judgeTouched(kind, found, half, extent, base, country, version, floor, issued);
    if (verdict === Verdict.right) this.floors[2 * index + half] = nextFloor(floor, found, version);
    else this.#wrong(verdict, address, index, kind, found, floor);
  }

  override gap(index: number): void {
    const { data } = this.gaps;
    const lo = data[index * 3] as number;
    const hi = data[index * 3 + 1] as number;
    const address = this.#pick(lo, lo, hi);
    this.lookups++;
    const found = this.#map.at(address, this.#see) === true;
    const verdict = judgeGap(found);
    if (verdict !== Verdict.right) this.#wrong(verdict, address, index, undefined, found, 0);
  }

  /** An address in [lo, hi]: a quarter of the time one where a range may begin or end. */
  #pick(lo: number, mid: number, hi: number): number {
    const bits = this.random.bits();
    if ((bits & 12) === 0) {
      const edge = bits & 3;
      if (edge === 0) return lo;
      if (edge === 1) return hi;
      if (edge === 2 || mid === hi) return mid;
      return mid + 1;
    }
    return lo + this.random.below(hi - lo + 1);
  }

  #wrong(verdict: Verdict, address: number, index: number, kind: Kind | undefined, found: boolean, floor: number): void {
    const [lo, hi, country, version] = this.#seen as unknown as [number, number, number, number];
    const got = found ? { lo: Uint32Array.of(lo), hi: Uint32Array.of(hi), country, version } : undefined;
    this.wrong(verdict, Uint32Array.of(address), index, kind, got, floor);
  }
}

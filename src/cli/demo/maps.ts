/**
 * The two interval maps of the demo, by name, for whichever thread asks; and one face for both,
 * so that all but the readers' hot loops is written once.
 */

import { type Shared, struct, u16, u32 } from "../../index.js";
import type { Ranges } from "./ranges.js";
import type { Words } from "./words.js";

/** Size of the shared memory: more than twice what the data takes, so that updates never want for room. */
export const arenaBytes: number = 96 * 2 ** 20;

/** What is kept for a range. */
export interface Entry {
  /** Two ASCII letters. */
  country: number;
  /** 0 as loaded, else the number of the update that wrote it. */
  version: number;
}

/** The IPv4 map, as far as the demo uses it. */
export interface Map4 {
  readonly size: number;
  load(rows: Iterable<[lo: number, hi: number, value: Entry]>): void;
  set(lo: number, hi: number, value: Entry): void;
  delete(lo: number, hi: number): boolean;
  at<R>(key: number, fn: (view: View4) => R): R | undefined;
}

export interface View4 {
  readonly lo: number;
  readonly hi: number;
  readonly value: Readonly<Entry>;
}

/** The IPv6 map, as far as the demo uses it. */
export interface Map6 {
  readonly size: number;
  load(rows: Iterable<[lo: Uint32Array, hi: Uint32Array, value: Entry]>): void;
  set(lo: Uint32Array, hi: Uint32Array, value: Entry): void;
  delete(lo: Uint32Array, hi: Uint32Array): boolean;
  at<R>(key: Uint32Array, fn: (view: View6) => R): R | undefined;
}

export interface View6 {
  copyLo(target: Uint32Array): unknown;
  copyHi(target: Uint32Array): unknown;
  readonly value: Readonly<Entry>;
}

export interface Maps {
  readonly v4: Map4;
  readonly v6: Map6;
}

export function openMaps(shared: Shared): Maps {
  const value = struct({ country: u16, version: u32 });
  return {
    v4: shared.intervalMap("ipv4", { bounds: "u32", value }),
    v6: shared.intervalMap("ipv6", { bounds: "u128", value }),
  };
}

/** What a lookup found. */
export interface Found {
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  country: number;
  version: number;
}

/** Either map, with bounds as arrays of words. */
export interface Family {
  readonly name: "IPv4" | "IPv6";
  readonly words: Words;
  size(): number;
  /** Fill the map with rows, of which later ones win. */
  load(rows: Ranges): void;
  set(lo: Uint32Array, hi: Uint32Array, value: Entry): void;
  delete(lo: Uint32Array, hi: Uint32Array): boolean;
  /** Look `key` up; false, and `found` as it was, when nothing covers it. */
  look(key: Uint32Array, found: Found): boolean;
}

export function newFound(words: Words): Found {
  return { lo: new Uint32Array(words), hi: new Uint32Array(words), country: 0, version: 0 };
}

function* entries<Bound>({ count, stride, words, data }: Ranges, boundAt: (at: number) => Bound): Generator<[lo: Bound, hi: Bound, value: Entry]> {
  for (let at = 0; at < count * stride; at += stride) {
    yield [boundAt(at), boundAt(at + words), { country: data[at + 2 * words] as number, version: 0 }];
  }
}

export function family4(map: Map4): Family {
  const first = (words: Uint32Array): number => words[0] as number;
  return {
    name: "IPv4",
    words: 1,
    size: () => map.size,
    load: (rows) => map.load(entries(rows, (at) => rows.data[at] as number)),
    set: (lo, hi, value) => map.set(first(lo), first(hi), value),
    delete: (lo, hi) => map.delete(first(lo), first(hi)),
    look: (key, found) =>
      map.at(first(key), (view) => {
        found.lo[0] = view.lo;
        found.hi[0] = view.hi;
        found.country = view.value.country;
        found.version = view.value.version;
        return true;
      }) === true,
  };
}

export function family6(map: Map6): Family {
  return {
    name: "IPv6",
    words: 4,
    size: () => map.size,
    load: (rows) => map.load(entries(rows, (at) => rows.data.subarray(at, at + rows.words))),
    set: (lo, hi, value) => map.set(lo, hi, value),
    delete: (lo, hi) => map.delete(lo, hi),
    look: (key, found) =>
      map.at(key, (view) => {
        view.copyLo(found.lo);
        view.copyHi(found.hi);
        found.country = view.value.country;
        found.version = view.value.version;
        return true;
      }) === true,
  };
}

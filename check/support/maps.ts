/**
 * The maps that the tests with threads share, and what must hold for every entry at every instant: a struct carries a check field of
 * its version, a text ends in the check of its beginning, and the keys below COVERED always have a value.
 */

import { type IntervalMap, type Shared, type StructView, struct, u32, utf8 } from "../../src/index.js";
import type { StructCodec, StructOf } from "../../src/values/struct.js";
import { checkOf, type Random } from "./seed.js";

const fields = { version: u32, check: u32 };
export const versioned: StructCodec<typeof fields> = struct(fields);
export type Versioned = StructOf<typeof fields>;
export type VersionedView = StructView<typeof fields>;

export type U32Map = IntervalMap<"u32", Versioned, VersionedView>;
export type U128Map = IntervalMap<"u128", Versioned, VersionedView>;
export type TextMap = IntervalMap<"u32", string>;

/** Keys that updates touch: 0 .. KEYS - 1; those below COVERED are never without a value. */
export const KEYS = 2048;
export const COVERED = 1024;

/** Where maps are opened by name. */
export type Maker = Pick<Shared, "intervalMap">;

export const u32Map = (shared: Maker, name: string): U32Map => shared.intervalMap(name, { bounds: "u32", value: versioned });
export const u128Map = (shared: Maker, name: string): U128Map => shared.intervalMap(name, { bounds: "u128", value: versioned });
export const textMap = (shared: Maker, name: string): TextMap => shared.intervalMap(name, { bounds: "u32", value: utf8 });

/** Spread over all four words, in the order of the index. */
export const wideKey = (index: number): bigint => (BigInt(index) << 96n) | (BigInt(index) << 40n) | 0xffff_ffffn;

export const versionOf = (version: number): Versioned => ({ version, check: checkOf(version) });

/** Texts from 12 to about 500 bytes, so that several size classes take part. */
export function textOf(version: number): string {
  return `${version}:${"ä".repeat(version % 250)}:${checkOf(version)}`;
}

export function isText(text: string): boolean {
  return text === textOf(Number.parseInt(text, 10));
}

/** What a map with keys of numbers gives each key: of either kind. */
export interface Scratch<T> {
  readonly map: {
    set(lo: number, hi: number, value: T): void;
    delete(lo: number, hi: number): boolean;
    load(rows: Iterable<readonly [number, number, T]>): void;
    compact(): void;
  };
  readonly encode: (version: number) => T;
}

/** Fill a map such that every key below COVERED has a value, and a few above it. */
export function fill<T>({ map, encode }: Scratch<T>, random: Random): void {
  const rows: [number, number, T][] = [];
  for (let lo = 0; lo < COVERED; ) {
    const hi = Math.min(COVERED - 1, lo + random.below(32));
    rows.push([lo, hi, encode(random.below(1e6))]);
    lo = hi + 1;
  }
  for (let i = 0; i < 8; i++) {
    const lo = random.from(COVERED, KEYS - 40);
    rows.push([lo, lo + random.below(32), encode(random.below(1e6))]);
  }
  map.load(rows);
}

/** One random update that keeps every key below COVERED covered. */
export function update<T>({ map, encode }: Scratch<T>, random: Random): void {
  const lo = random.below(KEYS - 64);
  const hi = lo + random.below(random.pick([1, 8, 64]));
  if (lo >= COVERED && random.below(3) === 0) map.delete(lo, hi);
  else map.set(lo, hi, encode(random.below(random.pick([4, 1e6]))));
}

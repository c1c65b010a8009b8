/**
 * The audit after the run: with nobody writing any more, the map must hold exactly what the
 * writer left, half by half. This finds what readers cannot: an update that never arrived.
 */

import { formatAddress } from "./address.js";
import { countryOf } from "./country.js";
import { type Family, newFound } from "./maps.js";
import type { Tables } from "./protocol.js";
import { copyWords, increment, midpoint } from "./words.js";

export interface AuditResult {
  /** Ranges that the map should hold. */
  readonly expected: number;
  readonly wrong: number;
  /** The first few, in words. */
  readonly texts: readonly string[];
}

const DESCRIBED = 3;

export function audit(family: Family, tables: Tables): AuditResult {
  const { base, halves } = tables;
  const { words, stride, data } = base;
  const found = newFound(words);
  const lo = new Uint32Array(words);
  const hi = new Uint32Array(words);
  const texts: string[] = [];
  let wrong = 0;
  let expected = 0;

  /** The map must give exactly [lo, hi] with what `mark` says, at lo. */
  const check = (index: number, mark: number): void => {
    const present = (mark & 1) === 0;
    if (present) expected++;
    const version = mark >>> 1;
    const covered = family.look(lo, found);
    if (covered === present) {
      if (!present) return;
      const country = countryOf(data[index * stride + 2 * words] as number, version);
      if (equal(found.lo, lo) && equal(found.hi, hi) && found.version === version && found.country === country) return;
    }
    wrong++;
    if (texts.length >= DESCRIBED) return;
    const got = covered ? `${formatAddress(found.lo)} - ${formatAddress(found.hi)} at version ${found.version}` : "nothing";
    const left = `${formatAddress(lo)} - ${formatAddress(hi)} ${present ? "at" : "withdrawn by"} version ${version}`;
    texts.push(`audit: ${family.name} base range ${index} holds ${got}; the writer left ${left}`);
  };

  for (let index = 0; index < base.count; index++) {
    const row = index * stride;
    const left = halves[2 * index] as number;
    const right = halves[2 * index + 1] as number;
    copyWords(lo, 0, data, row, words);
    copyWords(hi, 0, data, row + words, words);
    if (left === right) {
      check(index, left);
      continue;
    }
    midpoint(hi, data, row, row + words, words);
    check(index, left);
    copyWords(lo, 0, hi, 0, words);
    increment(lo, 0, words);
    copyWords(hi, 0, data, row + words, words);
    check(index, right);
  }
  // All that should be there is; what is there too many shows in the count.
  if (family.size() !== expected) {
    wrong++;
    texts.push(`audit: the ${family.name} map says it holds ${family.size()} ranges, it should be ${expected}`);
  }
  return { expected, wrong, texts };
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let word = 0; word < a.length; word++) if (a[word] !== b[word]) return false;
  return true;
}

/**
 * Countries as 16-bit numbers, and the rule that ties a country to a version.
 */

import { mix } from "./random.js";

const LETTERS = 26;
const CODES = LETTERS * LETTERS;
const A = 65;

/** Two ASCII letters in 16 bits: "AU" is 0x4155. */
export function packCountry(first: number, second: number): number {
  return (first << 8) | second;
}

/** The two letters of a packed country, or its number in hex when it is no such pair. */
export function countryName(country: number): string {
  const letters = String.fromCharCode(country >>> 8, country & 0xff);
  return /^[A-Z]{2}$/.test(letters) ? letters : `0x${country.toString(16).padStart(4, "0")}`;
}

/**
 * The country that an entry of a given version must have. Version 0 is the data as loaded; any
 * other version hands the range to a country that base and version decide together, so that an
 * entry made of the country of one update and the version of another is found out (but for one
 * such pair in 676, and a run sees millions).
 */
export function countryOf(base: number, version: number): number {
  if (version === 0) return base;
  const code = ((base >>> 8) - A) * LETTERS + ((base & 0xff) - A);
  const moved = (code + (mix(version) >>> 0)) % CODES;
  return packCountry(A + Math.floor(moved / LETTERS), A + (moved % LETTERS));
}

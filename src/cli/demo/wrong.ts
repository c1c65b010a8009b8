/**
 * A wrong answer with all that is needed to understand it, as it is sent to main and printed.
 */

import { formatAddress } from "./address.js";
import { countryName } from "./country.js";
import type { Found } from "./maps.js";
import { type Kind, kindNames } from "./plan.js";
import { countryAt, type Ranges } from "./ranges.js";
import { type Verdict, verdictTexts } from "./verify.js";
import { copyWords } from "./words.js";

/** At most so many are described by each thread; all are counted. */
export const DESCRIBED = 3;

export interface WrongAnswer {
  readonly verdict: Verdict;
  readonly address: Uint32Array;
  /** Index of the base range, or of the gap; and the table it is in. */
  readonly index: number;
  readonly ranges: Ranges;
  /** Undefined for a gap. */
  readonly kind: Kind | undefined;
  readonly found: Found | undefined;
  /** What was known of this half, and the last version given out. */
  readonly floor: number;
  readonly issued: number;
  readonly thread: string;
  readonly lookup: number;
}

export function describeWrong(answer: WrongAnswer): string {
  const { ranges, index, found } = answer;
  const range = (lo: Uint32Array, hi: Uint32Array): string => `${formatAddress(lo)} - ${formatAddress(hi)}`;
  const lo = new Uint32Array(ranges.words);
  const hi = new Uint32Array(ranges.words);
  copyWords(lo, 0, ranges.data, index * ranges.stride, ranges.words);
  copyWords(hi, 0, ranges.data, index * ranges.stride + ranges.words, ranges.words);
  const about =
    answer.kind === undefined
      ? `gap ${index} (${range(lo, hi)})`
      : `base range ${index} (${range(lo, hi)}, ${countryName(countryAt(ranges, index))}, ${kindNames[answer.kind]})`;
  const got = found === undefined ? "nothing" : `${range(found.lo, found.hi)}, ${countryName(found.country)}, version ${found.version}`;
  const known = answer.floor & 1 ? `missing since version ${answer.floor >>> 1}` : `version ${answer.floor >>> 1}`;
  return (
    `${answer.thread}, lookup ${answer.lookup}, ${formatAddress(answer.address)}: ${verdictTexts[answer.verdict]}\n` +
    `  got ${got}\n  of ${about}\n  seen here before: ${known}; last version given out: ${answer.issued}`
  );
}

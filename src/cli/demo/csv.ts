/**
 * The parser of `lo,hi,CC` lines (decimal bounds, two capital letters), straight from bytes:
 * making a string of each of 550,000 lines, and bigints of their numbers, would cost more than
 * loading the map.
 */

import { CliError } from "../failure.js";
import { packCountry } from "./country.js";
import { pushRow, type Ranges } from "./ranges.js";
import { compareWords, type Words } from "./words.js";

const NEWLINE = 10;
const RETURN = 13;
const COMMA = 44;
const ZERO = 48;
const A = 65;
const Z = 90;
const WORD = 0x1_0000_0000;

/** Reads the lines of one file, whatever pieces it comes in. */
export class CsvParser {
  readonly #file: string;
  readonly #into: Ranges;
  #line = 0;

  /** `file` is for messages; rows are added to `into`. */
  constructor(file: string, into: Ranges) {
    this.#file = file;
    this.#into = into;
  }

  /**
   * Parse the whole lines in bytes[0 .. end) and give how many bytes they took; the caller
   * brings the rest again with more behind it. With `last`, the end of the bytes ends a line too.
   */
  parse(bytes: Uint8Array, end: number, last: boolean): number {
    let at = 0;
    while (at < end) {
      const newline = bytes.indexOf(NEWLINE, at);
      let stop = newline;
      if (newline < 0 || newline >= end) {
        if (!last) return at;
        stop = end;
      }
      this.#line++;
      const next = Math.min(stop + 1, end);
      if (stop > at && bytes[stop - 1] === RETURN) stop--;
      // A blank line holds no range; files tend to end with one.
      if (stop > at) this.#row(bytes, at, stop);
      at = next;
    }
    return at;
  }

  #row(bytes: Uint8Array, start: number, stop: number): void {
    const ranges = this.#into;
    const { words } = ranges;
    const row = pushRow(ranges);
    const { data } = ranges;
    let at = decimal(bytes, start, stop, data, row, words);
    if (at < 0 || bytes[at] !== COMMA) throw this.#malformed(bytes, start, stop);
    at = decimal(bytes, at + 1, stop, data, row + words, words);
    if (at < 0 || bytes[at] !== COMMA || at + 3 !== stop) throw this.#malformed(bytes, start, stop);
    const first = bytes[at + 1] as number;
    const second = bytes[at + 2] as number;
    if (first < A || first > Z || second < A || second > Z) throw this.#malformed(bytes, start, stop);
    if (compareWords(data, row, data, row + words, words) > 0) throw this.#malformed(bytes, start, stop);
    data[row + 2 * words] = packCountry(first, second);
  }

  #malformed(bytes: Uint8Array, start: number, stop: number): CliError {
    const text = JSON.stringify(Buffer.from(bytes.subarray(start, Math.min(stop, start + 120))).toString("latin1"));
    const bits = this.#into.words * 32;
    return new CliError(
      `${this.#file}:${this.#line}: ${text} is not a range; a line is lo,hi,CC with two decimal numbers below 2^${bits}, lo <= hi, and two capital letters`,
      1,
    );
  }
}

/**
 * The decimal number at bytes[at ..) into `words` words of out[to ..), which are zero. Gives
 * where it ends, or -1 when there is no digit or the number is too large. Six digits a step:
 * 2^32 * 10^6 is still exact in a double.
 */
function decimal(bytes: Uint8Array, at: number, stop: number, out: Uint32Array, to: number, words: Words): number {
  const start = at;
  for (;;) {
    let chunk = 0;
    let scale = 1;
    while (scale < 1_000_000 && at < stop) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      chunk = chunk * 10 + digit;
      scale *= 10;
      at++;
    }
    if (scale === 1) break;
    let carry = chunk;
    for (let word = to + words - 1; word >= to; word--) {
      const value = (out[word] as number) * scale + carry;
      carry = Math.floor(value / WORD);
      out[word] = value - carry * WORD;
    }
    if (carry !== 0) return -1;
  }
  return at === start ? -1 : at;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newRanges, pushRange, type Ranges } from "../../src/cli/demo/ranges.js";
import { baseRanges, countTrimmed, gapsBetween } from "../../src/cli/demo/truth.js";
import type { Words } from "../../src/cli/demo/words.js";

/** Addresses of the model. With `high`, they are the last ones there are instead of the first. */
const ADDRESSES = 64;

type Row = readonly [lo: number, hi: number, country: number];

function bound(value: number, words: Words, high: boolean): Uint32Array {
  const out = new Uint32Array(words).fill(high ? 0xffff_ffff : 0);
  out[words - 1] = high ? 0xffff_ffff - (ADDRESSES - 1) + value : value;
  return out;
}

function rowsTable(rows: readonly Row[], words: Words, high: boolean): Ranges {
  const table = newRanges(words, 1);
  for (const [lo, hi, country] of rows) pushRange(table, bound(lo, words, high), 0, bound(hi, words, high), 0, country);
  return table;
}

/** The naive way: paint bytes, read the runs off. Country 0 is nothing. */
function paint(rows: readonly Row[]): Uint8Array {
  const painted = new Uint8Array(ADDRESSES);
  for (const [lo, hi, country] of rows) painted.fill(country, lo, hi + 1);
  return painted;
}

function runs(painted: Uint8Array, wanted: (country: number) => boolean): Row[] {
  const out: Row[] = [];
  for (let lo = 0; lo < ADDRESSES; ) {
    let hi = lo;
    while (hi + 1 < ADDRESSES && painted[hi + 1] === painted[lo]) hi++;
    if (wanted(painted[lo] as number)) out.push([lo, hi, painted[lo] as number]);
    lo = hi + 1;
  }
  return out;
}

function tableRows({ words, stride, count, data }: Ranges, high: boolean): Row[] {
  const shift = high ? 0xffff_ffff - (ADDRESSES - 1) : 0;
  return Array.from({ length: count }, (_, index) => {
    const at = index * stride;
    return [(data[at + words - 1] as number) - shift, (data[at + 2 * words - 1] as number) - shift, data[at + 2 * words] as number] as const;
  });
}

const row = fc
  .tuple(fc.nat(ADDRESSES - 1), fc.nat(ADDRESSES - 1), fc.integer({ min: 1, max: 3 }))
  .map(([a, b, country]): Row => [Math.min(a, b), Math.max(a, b), country]);

for (const words of [1, 4] as const) {
  for (const high of [false, true]) {
    test(`base ranges and gaps are those of painted bytes (${words} words, ${high ? "last" : "first"} addresses)`, () => {
      fc.assert(
        fc.property(fc.array(row, { maxLength: 24 }), fc.boolean(), (rows, sorted) => {
          // As in the data, or in any order at all.
          if (sorted) rows.sort((a, b) => a[0] - b[0]);
          const base = baseRanges(rowsTable(rows, words, high));
          const painted = paint(rows);
          assert.deepEqual(
            tableRows(base, high),
            runs(painted, (country) => country !== 0),
          );
          assert.ok(base.data.buffer instanceof SharedArrayBuffer);
          // The gap before the first (or after the last) range reaches to the end of all addresses.
          const gaps = tableRows(gapsBetween(base), high).map(([lo, hi]): Row => [Math.max(0, lo), Math.min(ADDRESSES - 1, hi), 0]);
          const outside = gaps.filter(([lo, hi]) => lo > hi || hi < 0 || lo >= ADDRESSES);
          assert.deepEqual(
            gaps.filter((gap) => !outside.includes(gap)),
            runs(painted, (country) => country === 0),
          );
        }),
        { numRuns: 500 },
      );
    });
  }
}

test("trimmed counts rows that begin at or before the end of the row before", () => {
  const rows: Row[] = [
    [0, 9, 1],
    [9, 12, 2],
    [13, 20, 1],
    [14, 15, 3],
    [16, 17, 3],
  ];
  assert.equal(countTrimmed(rowsTable(rows, 1, false)), 2);
  assert.equal(countTrimmed(rowsTable(rows, 4, true)), 2);
  assert.equal(countTrimmed(newRanges(1)), 0);
});

test("no rows: no base ranges, one gap with every address in it", () => {
  const base = baseRanges(newRanges(4));
  assert.equal(base.count, 0);
  const gaps = gapsBetween(base);
  assert.equal(gaps.count, 1);
  assert.deepEqual([...gaps.data], [0, 0, 0, 0, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0]);
});

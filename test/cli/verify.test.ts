import assert from "node:assert/strict";
import { test } from "node:test";
import { countryOf, packCountry } from "../../src/cli/demo/country.js";
import { Kind } from "../../src/cli/demo/plan.js";
import { Extent, extent4, extent6, judgeGap, judgeTouched, judgeUntouched, nextFloor, Verdict } from "../../src/cli/demo/verify.js";

const AU = packCountry(65, 85);
const CN = packCountry(67, 78);

test("IPv4 extents: whole, left, right, and nothing else", () => {
  assert.equal(extent4(10, 14, 19, 10, 19), Extent.whole);
  assert.equal(extent4(10, 14, 19, 10, 14), Extent.left);
  assert.equal(extent4(10, 14, 19, 15, 19), Extent.right);
  assert.equal(extent4(7, 7, 7, 7, 7), Extent.whole);
  for (const [lo, hi] of [
    [10, 15],
    [10, 13],
    [14, 19],
    [16, 19],
    [15, 18],
    [9, 19],
    [10, 20],
    [15, 20],
    [0, 0xffff_ffff],
  ] as const) {
    assert.equal(extent4(10, 14, 19, lo, hi), Extent.other, `${lo}-${hi}`);
  }
});

test("IPv6 extents, across a carry", () => {
  const lo = [1, 0, 0xffff_ffff, 0xffff_fff0];
  const hi = [1, 1, 0, 0x10];
  const mid = [1, 0, 0xffff_ffff, 0xffff_ffff];
  const data = Uint32Array.from([9, ...lo, ...hi, 9]);
  const extent = (seenLo: number[], seenHi: number[]): Extent => extent6(data, 1, Uint32Array.from(mid), Uint32Array.from(seenLo), Uint32Array.from(seenHi));
  assert.equal(extent(lo, hi), Extent.whole);
  assert.equal(extent(lo, mid), Extent.left);
  assert.equal(extent([1, 1, 0, 0], hi), Extent.right);
  assert.equal(extent([1, 1, 0, 1], hi), Extent.other);
  assert.equal(extent([1, 0, 0, 0], hi), Extent.other);
  assert.equal(extent(mid, hi), Extent.other);
  for (let word = 0; word < 4; word++) {
    const off = (words: number[]): number[] => words.map((value, index) => (index === word ? (value ^ 1) >>> 0 : value));
    assert.equal(extent(off(lo), hi), Extent.other, `lo word ${word}`);
    assert.equal(extent(lo, off(hi)), Extent.other, `hi word ${word}`);
    assert.equal(extent(off([1, 1, 0, 0]), hi), Extent.other, `right lo word ${word}`);
  }
});

test("untouched: exactly as loaded, or wrong", () => {
  assert.equal(judgeUntouched(true, Extent.whole, AU, AU, 0), Verdict.right);
  assert.equal(judgeUntouched(false, Extent.whole, AU, AU, 0), Verdict.missing);
  assert.equal(judgeUntouched(true, Extent.left, AU, AU, 0), Verdict.wrongRange);
  assert.equal(judgeUntouched(true, Extent.other, AU, AU, 0), Verdict.wrongRange);
  assert.equal(judgeUntouched(true, Extent.whole, AU, AU, 1), Verdict.changedThoughUntouched);
  assert.equal(judgeUntouched(true, Extent.whole, AU, CN, 0), Verdict.wrongCountry);
});

test("touched: each kind of wrong answer is told", () => {
  const version = 7;
  const country = countryOf(AU, version);
  const judge = (change: Partial<Record<"kind" | "half" | "extent" | "country" | "version" | "floor" | "issued", number>> & { found?: boolean }): Verdict => {
    const answer = { kind: Kind.kept, found: true, half: 0, extent: Extent.left, country, version, floor: 0, issued: 7, ...change };
    return judgeTouched(
      answer.kind as Kind,
      answer.found,
      answer.half,
      answer.extent as Extent,
      AU,
      answer.country,
      answer.version,
      answer.floor,
      answer.issued,
    );
  };
  assert.equal(judge({}), Verdict.right);
  assert.equal(judge({ extent: Extent.whole }), Verdict.right);
  assert.equal(judge({ half: 1, extent: Extent.right }), Verdict.right);
  assert.equal(judge({ version: 0, country: AU }), Verdict.right);

  assert.equal(judge({ found: false }), Verdict.missing);
  assert.equal(judge({ found: false, kind: Kind.roaming }), Verdict.right);
  assert.equal(judge({ extent: Extent.other }), Verdict.wrongRange);
  assert.equal(judge({ half: 1 }), Verdict.wrongRange, "the left half does not contain an address in the right one");
  assert.equal(judge({ extent: Extent.right }), Verdict.wrongRange);
  assert.equal(judge({ country: countryOf(AU, 6) }), Verdict.torn);
  assert.equal(judge({ version: 6 }), Verdict.torn);
  assert.equal(judge({ version: 0, country: CN }), Verdict.wrongCountry);
  assert.equal(judge({ issued: 6 }), Verdict.fromTheFuture);
  assert.equal(judge({ floor: nextFloor(0, true, 7) }), Verdict.right, "the same version again");
  assert.equal(judge({ floor: nextFloor(0, true, 8), issued: 9 }), Verdict.backwards);
});

test("a half that was missing comes back with a later version or is wrong", () => {
  const seen = nextFloor(0, true, 7);
  const missing = nextFloor(nextFloor(seen, false, 0), false, 0);
  const judge = (version: number): Verdict => judgeTouched(Kind.roaming, true, 0, Extent.whole, AU, countryOf(AU, version), version, missing, 100);
  assert.equal(judge(7), Verdict.backwards);
  assert.equal(judge(8), Verdict.right);
});

test("gaps hold nothing", () => {
  assert.equal(judgeGap(false), Verdict.right);
  assert.equal(judgeGap(true), Verdict.foundInGap);
});

test("the country of a version is two letters, and rarely that of another", () => {
  let equal = 0;
  for (let version = 1; version <= 10_000; version++) {
    const country = countryOf(AU, version);
    assert.match(String.fromCharCode(country >>> 8, country & 255), /^[A-Z]{2}$/);
    if (country === countryOf(AU, version + 1)) equal++;
  }
  assert.ok(equal < 40, `${equal} of 10,000 neighbours agree, about 15 are to be expected`);
});

/**
 * Readers and writers of readers-writers.test.ts, on a u32 and a u128 map at once; readers-writers-job.ts draws the keys.
 */

import { hand } from "../../check/support/hand.js";
import { u32Map, u128Map, type Versioned, versionOf, wideKey } from "../../check/support/maps.js";
import { checkOf, Random } from "../../check/support/seed.js";
import { ALL, OWNED, type RwJob, type RwResult, SPAN, SPANS } from "./readers-writers-job.js";

const TURN = 8;

const self = hand<RwJob>();
const { role, index, writers, seed } = self.job;
const { shared } = self;
const random = new Random(seed, index + (role === "reader" ? 100 : 0));
const narrow = u32Map(shared, "narrow");
const wide = u128Map(shared, "wide");
const versions = new Array<number>(OWNED).fill(0);
const wideVersions = new Array<number>(OWNED).fill(0);
let version = 0;
let done = 0;

/** The last key of the wide map that belongs to a narrow one: there are no gaps between them. */
const wideEnd = (key: number): bigint => wideKey(key + 1) - 1n;

function write(): void {
  if (random.below(3) === 0) {
    const lo = random.from(OWNED, ALL - 1);
    const hi = Math.min(ALL - 1, lo + random.below(random.pick([2, 200])));
    // Few values, so that neighbours join.
    const value = versionOf(random.below(3));
    if (random.below(3) === 0) {
      narrow.delete(lo, hi);
      wide.delete(wideKey(lo), wideEnd(hi));
    } else {
      narrow.set(lo, hi, value);
      wide.set(wideKey(lo), wideEnd(hi), value);
    }
    return;
  }
  const span = random.below(SPANS / writers) * writers + index;
  const lo = span * SPAN + random.below(SPAN);
  const hi = random.from(lo, span * SPAN + SPAN - 1);
  version++;
  narrow.set(lo, hi, versionOf(version));
  wide.set(wideKey(lo), wideEnd(hi), versionOf(version));
  for (let key = lo; key <= hi; key++) versions[key] = version;
}

function verify(key: number, value: Versioned | undefined, known: number[], where: string): void {
  if (value === undefined) {
    if (key < OWNED) throw new Error(`${where}: key ${key} is covered and was not found`);
    return;
  }
  if (value.check !== checkOf(value.version)) throw new Error(`${where}: key ${key} has a torn value ${JSON.stringify(value)}`);
  if (key >= OWNED) return;
  if (value.version < (known[key] as number)) throw new Error(`${where}: key ${key} went from version ${known[key]} back to ${value.version}`);
  known[key] = value.version;
}

function read(): void {
  const key = random.below(4) === 0 ? random.below(ALL) : random.below(OWNED);
  verify(key, narrow.get(key), versions, "narrow.get");
  verify(key, wide.get(wideKey(key)), wideVersions, "wide.get");
  narrow.at(key, (view) => {
    if (key < view.lo || key > view.hi) throw new Error(`narrow.at(${key}) gave ${view.lo}..${view.hi}`);
    verify(key, { version: view.value.version, check: view.value.check }, versions, "narrow.at");
  });
  wide.at(wideKey(key), (view) => {
    if (wideKey(key) < view.lo || wideKey(key) > view.hi) throw new Error(`wide.at(${key}) gave ${view.lo}..${view.hi}`);
    verify(key, { version: view.value.version, check: view.value.check }, wideVersions, "wide.at");
  });
  if (random.below(200) === 0) iterate();
}

/** Every owned key is covered all the while, so an iteration over them has no gap. */
function iterate(): void {
  let next = 0;
  for (const [lo, hi, value] of narrow.entries(0, OWNED - 1)) {
    if (lo > next || (lo < next && next > 0) || hi < lo) throw new Error(`entries: ${lo}..${hi} came where ${next} should begin`);
    if (value.check !== checkOf(value.version)) throw new Error(`entries: ${lo}..${hi} has a torn value`);
    next = hi + 1;
  }
  if (next < OWNED) throw new Error(`entries ended at ${next} of ${OWNED}`);
}

self.begun();
self.loop(
  () => {
    const ends = performance.now() + TURN;
    do {
      if (role === "reader") read();
      else write();
      done++;
      self.beat();
    } while (performance.now() < ends);
  },
  () => {
    shared.close();
    const result: RwResult = { done, versions };
    self.result(result);
  },
);

/**
 * A survivor of the death test. The writer counts versions up in a map of its own, takes part in the maps that victims die in, and frees what
 * the dead had live, which it finds by their tags. The reader verifies every answer: a covered key is always found, a value is whole, and
 * no key's version goes backwards.
 */

import { hand } from "../../check/support/hand.js";
import { COVERED, isText, KEYS, textMap, textOf, u32Map, u128Map, update, versionOf, wideKey } from "../../check/support/maps.js";
import { checkOf, Random } from "../../check/support/seed.js";
import type { SurvivorJob, SurvivorResult } from "./death-jobs.js";

/** Ranges of the survivors' own maps, each of 16 keys. */
const LEDGER = 64;
const SPAN = 16;

const TURN = 8;

const self = hand<SurvivorJob>();
const { role, seed } = self.job;
const graves = new Int32Array(self.job.graves);
const random = new Random(seed, role === "reader" ? -2 : -3);
const { shared } = self;
const ledger = u32Map(shared, "ledger");
const wide = u128Map(shared, "wide");
const numbers = u32Map(shared, "numbers");
const texts = textMap(shared, "texts");

let done = 0;
let version = 0;
let buried = 0;
let freed = 0;
const latest = new Array<number>(LEDGER).fill(0);
const latestWide = new Array<number>(LEDGER).fill(0);

function write(): void {
  const lo = random.below(LEDGER);
  const hi = Math.min(LEDGER - 1, lo + random.below(3));
  version++;
  ledger.set(lo * SPAN, hi * SPAN + SPAN - 1, versionOf(version));
  wide.set(wideKey(lo), wideKey(hi + 1) - 1n, versionOf(version));
  const shareOfVictims = random.below(4);
  if (shareOfVictims === 0) update({ map: numbers, encode: versionOf }, random);
  else if (shareOfVictims === 1) update({ map: texts, encode: textOf }, random);
}

/** Free what the dead had live. How many of them have been seen to is told at the end of `graves`. */
function bury(): void {
  const { heap } = shared.domain.arena;
  const dead = Atomics.load(graves, 0);
  for (; buried < dead; buried++) {
    for (const block of heap.ownedBy(graves[1 + buried] as number)) {
      heap.kfree(block);
      freed++;
    }
  }
}

function read(): void {
  const entry = random.below(LEDGER);
  verify(entry, ledger.get(entry * SPAN + random.below(SPAN)), latest, "ledger");
  verify(entry, wide.get(wideKey(entry) + BigInt(random.below(SPAN))), latestWide, "wide");
  const key = random.below(KEYS);
  const found = numbers.at(key, (view) => {
    if (key < view.lo || key > view.hi || view.value.check !== checkOf(view.value.version)) throw new Error(`numbers.at(${key}) gave ${view.lo}..${view.hi}`);
    return true;
  });
  if (found === undefined && key < COVERED) throw new Error(`numbers.at(${key}) found nothing`);
  const text = texts.get(key);
  if (text === undefined ? key < COVERED : !isText(text)) throw new Error(`texts.get(${key}) gave ${text}`);
}

function verify(entry: number, value: { version: number; check: number } | undefined, known: number[], name: string): void {
  if (value === undefined) throw new Error(`${name}: entry ${entry} was not found`);
  if (value.check !== checkOf(value.version)) throw new Error(`${name}: entry ${entry} is torn: ${JSON.stringify(value)}`);
  if (value.version < (known[entry] as number)) throw new Error(`${name}: entry ${entry} went from version ${known[entry]} back to ${value.version}`);
  known[entry] = value.version;
}

self.begun();
self.loop(
  () => {
    const ends = performance.now() + (role === "reader" ? TURN : 1);
    do {
      if (role === "reader") read();
      else write();
      done++;
      self.beat();
    } while (performance.now() < ends);
    if (role === "reader") return;
    bury();
    shared.domain.offline(() => Atomics.wait(graves, graves.length - 1, 0, 2)); // leaves the processor to the others
  },
  () => {
    if (role === "writer") bury();
    shared.close();
    const result: SurvivorResult = { done, freed };
    self.result(result);
  },
);

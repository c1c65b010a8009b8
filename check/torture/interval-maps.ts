/**
 * Torture of the interval map: a covered key is always found, what is found is whole, and no key goes back to an older version, in maps that
 * are updated by all, in every way, while threads die.
 */

import type { IntervalMap, Shared } from "../../src/index.js";
import {
  COVERED,
  fill,
  isText,
  KEYS,
  type TextMap,
  textMap,
  textOf,
  type U32Map,
  type U128Map,
  u32Map,
  u128Map,
  update,
  type Versioned,
  type VersionedView,
  versionOf,
  wideKey,
} from "../support/maps.js";
import { checkOf } from "../support/seed.js";
import { Player } from "./history.js";
import { dealt, updates } from "./job.js";
import { playRange, type RangeOperation, ranges } from "./ranges.js";
import type { Stage } from "./stage.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

/** The maps of a run. */
interface Maps {
  /** Each key's versions only go up. */
  readonly ledger: U32Map;
  readonly wide: U128Map;
  /** Updated by all at random. */
  readonly numbers: U32Map;
  readonly texts: TextMap;
  /** A few keys, whose history is checked. */
  readonly exact: IntervalMap<"u32", Versioned, VersionedView>;
}

const openMaps = (shared: Shared): Maps => ({
  ledger: u32Map(shared, "ledger"),
  wide: u128Map(shared, "wide"),
  numbers: u32Map(shared, "numbers"),
  texts: textMap(shared, "texts"),
  exact: u32Map(shared, "exact"),
});

/** Entries of the ledger and the wide map, and keys of each in the ledger. */
const ENTRIES = 48;
const SPAN = 16;

/** Fill the maps, so that all that must be found is there. */
function fillMaps({ ledger, wide, numbers, texts }: Maps, random: Thread["random"]): void {
  ledger.set(0, ENTRIES * SPAN - 1, versionOf(0));
  wide.set(0n, wideKey(ENTRIES) - 1n, versionOf(0));
  fill({ map: numbers, encode: versionOf }, random);
  fill({ map: texts, encode: textOf }, random);
}

/** A thread that reads the maps. */
class Reader {
  readonly #t: Thread;
  readonly #player: Player;
  readonly #ledger = new Array<number>(ENTRIES * SPAN).fill(0);
  readonly #wide = new Array<number>(ENTRIES).fill(0);

  constructor(thread: Thread) {
    this.#t = thread;
    const { history, seat, seats, life } = thread.job;
    this.#player = new Player(history, seat, seats, life);
  }

  /** Take part in the round of checked operations that is open. */
  play(): void {
    const t = this.#t;
    t.self.step(Step.HISTORY);
    t.begin("a round of checked operations");
    this.#player.play((draft) => playRange(t.opened(openMaps).exact, draft, t));
    t.self.step(Step.TURN);
  }

  read(): void {
    const t = this.#t;
    const { random } = t;
    t.counts.reads += 2;
    const key = random.below(ENTRIES * SPAN);
    t.begin("ledger.get, wide.get");
    this.#versioned("ledger", key, t.opened(openMaps).ledger.get(key), this.#ledger);
    const entry = random.below(ENTRIES);
    this.#versioned("wide", entry, t.opened(openMaps).wide.get(wideKey(entry) + BigInt(random.below(SPAN))), this.#wide);
    switch (random.below(12)) {
      case 0:
        this.#text(random.below(KEYS));
        break;
      case 1:
        this.#number(random.below(KEYS));
        break;
      case 2:
        if (t.oneIn(20)) this.#hold(random.below(ENTRIES * SPAN), t.oneIn(60) ? random.from(5, 200) : random.below(3));
        break;
      case 3:
        if (t.oneIn(60)) this.#walk();
        break;
    }
  }

  #whole(name: string, key: number | string, value: Versioned): void {
    if (value.check !== checkOf(value.version)) this.#t.fail("torn", `${name}: key ${key} has ${JSON.stringify(value)}`);
  }

  #versioned(name: string, key: number, value: Versioned | undefined, known: number[]): void {
    if (value === undefined) {
      this.#t.fail("missing", `${name}: key ${key} is covered and was not found`);
      return;
    }
    this.#whole(name, key, value);
    if (value.version < (known[key] as number)) this.#t.fail("backwards", `${name}: key ${key} went from version ${known[key]} back to ${value.version}`);
    known[key] = value.version;
  }

  #text(key: number): void {
    const text = this.#t.opened(openMaps).texts.get(key);
    if (text === undefined && key < COVERED) this.#t.fail("missing", `texts: key ${key} is covered and was not found`);
    if (text !== undefined && !isText(text)) this.#t.fail("torn", `texts: key ${key} has ${JSON.stringify(text)}`);
  }

  #number(key: number): void {
    const value = this.#t.opened(openMaps).numbers.get(key);
    if (value === undefined && key < COVERED) this.#t.fail("missing", `numbers: key ${key} is covered and was not found`);
    if (value !== undefined) this.#whole("numbers", key, value);
  }

  /** What `at` shows stays what it is until its callback returns, also when it was replaced long ago. */
  #hold(key: number, milliseconds: number): void {
    const t = this.#t;
    if (milliseconds > 4) t.self.step(Step.LONG_SECTION);
    t.begin(`ledger.at(${key}) held for ${milliseconds} ms`);
    const found = t.opened(openMaps).ledger.at(key, (view) => {
      const { lo, hi } = view;
      const { version, check } = view.value;
      this.#whole("ledger.at", key, { version, check });
      const cookie = t.checkedCookie();
      const ends = performance.now() + milliseconds;
      do {
        t.domain.quiescent(); // is none in here
        if (view.lo !== lo || view.hi !== hi || view.value.version !== version || view.value.check !== check || key < lo || key > hi) {
          t.fail("freed", `ledger.at(${key}) showed ${lo}..${hi} version ${version}, then ${view.lo}..${view.hi} version ${view.value.version}`);
          break;
        }
      } while (performance.now() < ends);
      cookie.notYet();
      return true;
    });
    if (found !== true) t.fail("missing", `ledger.at(${key}) found nothing`);
    t.self.step(Step.TURN);
  }

  /** All of the ledger is covered, so a walk over it has no gap. */
  #walk(): void {
    const t = this.#t;
    let next = 0;
    t.begin("ledger.entries()");
    for (const [lo, hi, value] of t.opened(openMaps).ledger.entries(0, ENTRIES * SPAN - 1)) {
      if (hi < lo || lo > next || (lo < next && next > 0)) t.fail("missing", `ledger.entries() gave ${lo}..${hi} where ${next} should begin`);
      this.#whole("ledger.entries()", `${lo}..${hi}`, value);
      next = hi + 1;
    }
    if (next < ENTRIES * SPAN) t.fail("missing", `ledger.entries() ended at ${next} of ${ENTRIES * SPAN}`);
  }
}

/** A thread that updates the maps. The entries of the ledger and of the wide map are dealt out to the updating seats. */
class Updater {
  readonly #t: Thread;
  readonly #own: readonly number[];

  constructor(thread: Thread) {
    this.#t = thread;
    this.#own = dealt(ENTRIES, thread.job, updates);
  }

  update(): void {
    const t = this.#t;
    const { ledger, wide, numbers, texts } = t.opened(openMaps);
    const { random } = t;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    const kind = random.below(10);
    if (kind < 4) {
      const lo = random.pick(this.#own) * SPAN + random.below(SPAN);
      const hi = random.from(lo, lo - (lo % SPAN) + SPAN - 1);
      ledger.set(lo, hi, versionOf(t.tally.nextVersion()));
    } else if (kind < 6) {
      const entry = random.pick(this.#own);
      wide.set(wideKey(entry), wideKey(entry + 1) - 1n, versionOf(t.tally.nextVersion()));
    } else if (kind < 8) update({ map: numbers, encode: versionOf }, random);
    else update({ map: texts, encode: textOf }, random);
    if (t.oneIn(300)) this.#anew();
    t.self.step(Step.TURN);
  }

  /** All at once. */
  #anew(): void {
    const { random } = this.#t;
    const maps = this.#t.opened(openMaps);
    switch (random.below(4)) {
      case 0:
        fill({ map: maps.numbers, encode: versionOf }, random);
        break;
      case 1:
        fill({ map: maps.texts, encode: textOf }, random);
        break;
      case 2:
        maps.ledger.compact();
        break;
      default:
        maps.numbers.compact();
    }
  }
}

/** Main's part. */
export const intervalMaps: Stage<RangeOperation> = {
  game: ranges,
  open: (shared) => Object.values(openMaps(shared)),
  fill: (shared, random) => fillMaps(openMaps(shared), random),
};

/** A thread's. */
export function workOnIntervalMaps(thread: Thread): Work {
  const reader = new Reader(thread);
  const updater = new Updater(thread);
  return workOf(thread, {
    read: () => reader.read(),
    updates: updates(thread.job.seat),
    update: () => updater.update(),
    special: () => reader.play(),
  });
}

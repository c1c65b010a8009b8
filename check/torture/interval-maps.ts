/**
 * Torture of the interval map: a covered key is always found, what is found is whole, and no key goes back to an older version, in maps that
 * are updated by all, in every way, while threads die.
 */

import { COVERED, fill, isText, KEYS, textOf, update, type Versioned, versionOf, wideKey } from "../support/maps.js";
import { checkOf } from "../support/seed.js";
import { Player } from "./history.js";
import { ENTRIES, type Maps, SPAN, updates } from "./job.js";
import { Step, type Thread } from "./thread.js";

/** Fill the maps, so that all that must be found is there. */
export function fillMaps({ ledger, wide, numbers, texts }: Maps, random: Thread["random"]): void {
  ledger.set(0, ENTRIES * SPAN - 1, versionOf(0));
  wide.set(0n, wideKey(ENTRIES) - 1n, versionOf(0));
  fill({ map: numbers, encode: versionOf }, random);
  fill({ map: texts, encode: textOf }, random);
}

/** A thread that reads the maps. */
export class MapReader {
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
    this.#player.play(t.maps.exact, t.random, t.tally);
    t.self.step(Step.TURN);
  }

  read(): void {
    const t = this.#t;
    const { random } = t;
    t.counts.reads += 2;
    const key = random.below(ENTRIES * SPAN);
    t.begin("ledger.get, wide.get");
    this.#versioned("ledger", key, t.maps.ledger.get(key), this.#ledger);
    const entry = random.below(ENTRIES);
    this.#versioned("wide", entry, t.maps.wide.get(wideKey(entry) + BigInt(random.below(SPAN))), this.#wide);
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
    const text = this.#t.maps.texts.get(key);
    if (text === undefined && key < COVERED) this.#t.fail("missing", `texts: key ${key} is covered and was not found`);
    if (text !== undefined && !isText(text)) this.#t.fail("torn", `texts: key ${key} has ${JSON.stringify(text)}`);
  }

  #number(key: number): void {
    const value = this.#t.maps.numbers.get(key);
    if (value === undefined && key < COVERED) this.#t.fail("missing", `numbers: key ${key} is covered and was not found`);
    if (value !== undefined) this.#whole("numbers", key, value);
  }

  /** What `at` shows stays what it is until its callback returns, also when it was replaced long ago. */
  #hold(key: number, milliseconds: number): void {
    const t = this.#t;
    if (milliseconds > 4) t.self.step(Step.LONG_SECTION);
    t.begin(`ledger.at(${key}) held for ${milliseconds} ms`);
    const found = t.maps.ledger.at(key, (view) => {
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
    for (const [lo, hi, value] of t.maps.ledger.entries(0, ENTRIES * SPAN - 1)) {
      if (hi < lo || lo > next || (lo < next && next > 0)) t.fail("missing", `ledger.entries() gave ${lo}..${hi} where ${next} should begin`);
      this.#whole("ledger.entries()", `${lo}..${hi}`, value);
      next = hi + 1;
    }
    if (next < ENTRIES * SPAN) t.fail("missing", `ledger.entries() ended at ${next} of ${ENTRIES * SPAN}`);
  }
}

/** A thread that updates the maps. The entries of the ledger and of the wide map are dealt out to the updating seats. */
export class MapUpdater {
  readonly #t: Thread;
  readonly #own: readonly number[];

  constructor(thread: Thread) {
    this.#t = thread;
    const { seat, seats } = thread.job;
    const updating = Array.from({ length: seats }, (_, i) => i).filter(updates);
    this.#own = Array.from({ length: ENTRIES }, (_, entry) => entry).filter((entry) => updating[entry % updating.length] === seat);
  }

  update(): void {
    const t = this.#t;
    const { ledger, wide, numbers, texts } = t.maps;
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
    const { maps, random } = this.#t;
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

/**
 * Torture of the hash map: in maps that grow and shrink all the time, are updated by all, in every way, while threads die, a key that is present is always found, what is found is
 * whole and its own, nothing goes back to an older version, and no update is lost.
 *
 *   ledger    keys that are never deleted, each updated by one seat, in versions that go up; and many others that come and go, so that it is always being resized
 *   texts     the same with utf8 keys and json values: key and value have a block each
 *   counts    a few keys that all count up by update()
 *   bounded   entries that expire, and give way
 *   exact     a few keys whose history is checked, among others that come and go
 */

import { jsonOf, type Shared, type SharedMap, u32, utf8 } from "../../src/index.js";
import { Player } from "./history.js";
import { dealt } from "./job.js";
import { type KeyOperation, keys, playKey } from "./keys.js";
import type { Stage } from "./stage.js";
import { isStamped, isStampedText, type Stamped, type StampedText, type StampedView, stamp, stamped, stampText } from "./stamped.js";
import { Sums } from "./sums.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

/** Keys that stay: of the ledger, and of the texts. */
const STAYING = 32;
/** Those that come and go, of any map, begin here. */
const COMING = 1000;
/** Most of these. */
const MOST_COMING = 600;
/** For so long, in ms, keys come; for so long they go. */
const TIDE = 700;
/** Keys that all count up. */
const COUNTS = 4;
const BOUND = 48;
/** ms that an entry of `bounded` stays. */
const TTL = 60;

interface Maps {
  readonly ledger: SharedMap<number, Stamped, StampedView>;
  readonly texts: SharedMap<string, StampedText>;
  readonly counts: SharedMap<string, number>;
  readonly bounded: SharedMap<number, Stamped, StampedView>;
  readonly exact: SharedMap<number, Stamped, StampedView>;
}

const openMaps = (shared: Shared): Maps => ({
  ledger: shared.map("ledger", { key: u32, value: stamped }),
  texts: shared.map("texts", { key: utf8, value: jsonOf<StampedText>() }),
  counts: shared.map("counts", { key: utf8, value: u32 }),
  bounded: shared.map("bounded", { key: u32, value: stamped, ttl: TTL, maxEntries: BOUND }),
  exact: shared.map("exact", { key: u32, value: stamped }),
});

const textKey = (key: number): string => `key-${key}${".".repeat(key % 7)}`;
const numberOf = (key: string): number => Number.parseInt(key.slice(4), 10);
const countKey = (key: number): string => `count ${key}`;

/** What one thread has seen of the keys that stay. */
class Seen {
  readonly versions = new Array<number>(STAYING).fill(0);
  readonly entries = new Array<number>(STAYING).fill(0);
}

/** A thread that reads the maps. */
class Reader {
  readonly #t: Thread;
  readonly #player: Player;
  readonly #sums: Sums;
  readonly #ledger = new Seen();
  readonly #texts = new Seen();
  readonly #buffer = new Uint8Array(64);

  constructor(thread: Thread) {
    this.#t = thread;
    const { history, own, seat, seats, life } = thread.job;
    this.#player = new Player(history, seat, seats, life);
    this.#sums = new Sums(own);
  }

  get #maps(): Maps {
    return this.#t.opened(openMaps);
  }

  /** Take part in the round of checked operations that is open. */
  play(): void {
    const t = this.#t;
    t.self.step(Step.HISTORY);
    t.begin("a round of checked operations");
    this.#player.play((draft) => playKey(this.#maps.exact, draft, t));
    t.self.step(Step.TURN);
  }

  read(): void {
    const t = this.#t;
    const { random } = t;
    t.counts.reads += 2;
    t.begin("ledger, texts: keys that stay");
    this.#ledgerKey(random.below(STAYING));
    this.#textKey(random.below(STAYING));
    switch (random.below(12)) {
      case 0:
        this.#comer(COMING + random.below(MOST_COMING));
        break;
      case 1: {
        t.begin("counts.get");
        const key = random.below(COUNTS);
        const wrong = this.#sums.wrong(key, () => this.#maps.counts.get(countKey(key)) ?? -1);
        if (wrong !== undefined) t.fail("lost", `counts: ${wrong}`);
        break;
      }
      case 2:
        if (t.oneIn(20)) this.#hold(random.below(STAYING), t.oneIn(60) ? random.from(5, 200) : random.below(3));
        break;
      case 3:
        if (t.oneIn(20)) this.#walk();
        break;
    }
  }

  #ledgerKey(key: number): void {
    const { ledger } = this.#maps;
    switch (this.#t.random.below(4)) {
      case 0:
        this.#stays("ledger.get", key, ledger.get(key), this.#ledger);
        break;
      case 1: {
        let entry = 0;
        const value = ledger.read(key, (view, version) => {
          entry = version;
          return { ...view };
        });
        this.#stays("ledger.read", key, value, this.#ledger);
        this.#entry("ledger.read", key, entry, this.#ledger);
        break;
      }
      case 2:
        this.#entry("ledger.getVersion", key, ledger.getVersion(key), this.#ledger);
        break;
      default:
        this.#stays("ledger.getCopy", key, ledger.getCopy(key), this.#ledger);
    }
  }

  #textKey(key: number): void {
    const { texts } = this.#maps;
    const name = textKey(key);
    switch (this.#t.random.below(4)) {
      case 0: {
        const { written } = new TextEncoder().encodeInto(`GET ${name}`, this.#buffer);
        this.#staysText("texts.getBytes", key, texts.getBytes(this.#buffer, 4, written), this.#texts);
        break;
      }
      case 1:
        this.#entry("texts.getVersion", key, texts.getVersion(name), this.#texts);
        break;
      case 2:
        this.#staysText("texts.getCopy", key, texts.getCopy(name), this.#texts);
        break;
      default:
        this.#staysText("texts.get", key, texts.get(name), this.#texts);
    }
  }

  #stays(what: string, key: number, value: Stamped | undefined, seen: Seen): void {
    if (value === undefined) {
      this.#t.fail("missing", `${what}(${key}): the key is never deleted, and was not found`);
      return;
    }
    if (!isStamped(value, key)) this.#t.fail("torn", `${what}(${key}) gave ${JSON.stringify(value)}`);
    const known = seen.versions[key] as number;
    if (value.version < known) this.#t.fail("backwards", `${what}(${key}) went from version ${known} back to ${value.version}`);
    seen.versions[key] = value.version;
  }

  #staysText(what: string, key: number, value: StampedText | undefined, seen: Seen): void {
    this.#stays(what, key, value, seen);
    this.#text(what, key, value);
  }

  #text(what: string, key: number, value: StampedText | undefined): void {
    if (value !== undefined && !isStampedText(value, key)) this.#t.fail("torn", `${what}(${key}) gave ${JSON.stringify(value).slice(0, 200)}`);
  }

  /** The entry's own version: goes up too, as long as its bucket has not been changed 2^32 times. */
  #entry(what: string, key: number, version: number, { entries }: Seen): void {
    if (version === 0) this.#t.fail("missing", `${what}(${key}): the key is never deleted, and was not found`);
    else if (version < (entries[key] as number)) this.#t.fail("backwards", `${what}(${key}) went from entry version ${entries[key]} back to ${version}`);
    entries[key] = version;
  }

  #comer(key: number): void {
    const { ledger, texts, bounded } = this.#maps;
    this.#t.begin(`keys that come and go: ${key}`);
    for (const [name, map] of [
      ["ledger", ledger],
      ["bounded", bounded],
    ] as const) {
      const value = map.get(key);
      if (value !== undefined && !isStamped(value, key)) this.#t.fail("torn", `${name}.get(${key}) gave ${JSON.stringify(value)}`);
    }
    this.#text("texts.get", key, texts.get(textKey(key)));
  }

  /** What `read` shows stays what it is until its callback returns, also when it was replaced long ago. */
  #hold(key: number, milliseconds: number): void {
    const t = this.#t;
    if (milliseconds > 4) t.self.step(Step.LONG_SECTION);
    t.begin(`ledger.read(${key}) held for ${milliseconds} ms`);
    const found = this.#maps.ledger.read(key, (view) => {
      const { version } = view;
      const cookie = t.checkedCookie();
      const ends = performance.now() + milliseconds;
      do {
        t.domain.quiescent(); // is none in here
        if (view.version === version && isStamped(view, key)) continue;
        t.fail("freed", `ledger.read(${key}) showed version ${version}, then ${JSON.stringify(view)}`);
        break;
      } while (performance.now() < ends);
      cookie.notYet();
      return true;
    });
    if (found !== true) t.fail("missing", `ledger.read(${key}) found nothing`);
    t.self.step(Step.TURN);
  }

  /** All entries: those that stay once each, no other twice. */
  #walk(): void {
    const t = this.#t;
    const { ledger, texts } = this.#maps;
    const kind = t.random.below(4);
    const what = ["ledger.entries()", "texts.entries()", "ledger.snapshot()", "texts.snapshot()"][kind] as string;
    t.begin(what);
    const seen = new Set<number>();
    const see = (key: number): void => {
      if (seen.has(key)) t.fail("twice", `${what} showed key ${key} twice`);
      seen.add(key);
    };
    if (kind % 2 === 0) {
      for (const [key, value] of kind === 0 ? ledger : ledger.snapshot()) {
        see(key);
        if (key < STAYING) this.#stays(what, key, value, this.#ledger);
        else if (!isStamped(value, key)) t.fail("torn", `${what}: key ${key} has ${JSON.stringify(value)}`);
      }
    } else {
      for (const [key, value] of kind === 1 ? texts : texts.snapshot()) {
        const number = numberOf(key);
        if (textKey(number) !== key) t.fail("torn", `${what}: key ${JSON.stringify(key)}`);
        see(number);
        if (number < STAYING) this.#staysText(what, number, value, this.#texts);
        else this.#text(what, number, value);
      }
    }
    for (let key = 0; key < STAYING; key++) if (!seen.has(key)) t.fail("missing", `${what} did not show key ${key}, which is never deleted`);
  }
}

/** A thread that updates the maps. The keys that stay are dealt out to the seats. */
class Updater {
  readonly #t: Thread;
  readonly #sums: Sums;
  readonly #own: readonly number[];

  constructor(thread: Thread) {
    this.#t = thread;
    this.#sums = new Sums(thread.job.own);
    this.#own = dealt(STAYING, thread.job, () => true);
  }

  get #maps(): Maps {
    return this.#t.opened(openMaps);
  }

  update(): void {
    const t = this.#t;
    const { random } = t;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    const kind = random.below(10);
    if (kind < 2 && this.#own.length > 0) this.#ledger(random.pick(this.#own));
    else if (kind < 4 && this.#own.length > 0) {
      const key = random.pick(this.#own);
      this.#maps.texts.set(textKey(key), stampText(key, t.tally.nextVersion()));
    } else if (kind < 6) {
      const key = random.below(COUNTS);
      this.#sums.add(key, () => this.#maps.counts.update(countKey(key), (count = 0) => count + 1));
    } else if (kind === 6) {
      const key = COMING + random.below(2 * BOUND);
      this.#maps.bounded.set(key, stamp(key, t.tally.nextVersion()), t.oneIn(2) ? {} : { ttl: random.from(1, 2 * TTL) });
    } else this.#tide();
    t.self.step(Step.TURN);
  }

  /** A key that only this thread changes: so it knows what is there, and what each call must find. */
  #ledger(key: number): void {
    const t = this.#t;
    const { ledger } = this.#maps;
    const value = stamp(key, t.tally.nextVersion());
    const expect = (done: boolean, what: string): void => {
      if (!done) t.fail("lost", `ledger.${what} of key ${key}, which nobody else updates`);
    };
    t.begin(`updates of ledger's key ${key}`);
    switch (t.random.below(5)) {
      case 0:
        expect(ledger.compareAndSet(key, ledger.getVersion(key), value), "compareAndSet of the version there is failed");
        break;
      case 1: {
        const before = ledger.get(key)?.version;
        expect(ledger.update(key, (found) => (found?.version === before ? value : undefined)) === value, `update did not find version ${before}`);
        break;
      }
      case 2:
        ledger.setMany([[key, value]]);
        break;
      default:
        ledger.set(key, value);
    }
    expect(!ledger.setIfAbsent(key, stamp(key, 0)), "setIfAbsent found it absent");
    expect(!ledger.compareAndSet(key, 0, stamp(key, 0)), "compareAndSet of version 0 found it absent");
    const found = ledger.get(key)?.version;
    expect(found === value.version, `get found version ${found} after version ${value.version} was set;`);
  }

  /** Many keys come, or go. */
  #tide(): void {
    const t = this.#t;
    const { random } = t;
    const { ledger, texts, exact } = this.#maps;
    const rises = Math.floor((performance.timeOrigin + performance.now()) / TIDE) % 2 === 0;
    const count = random.from(1, 24);
    const coming = Array.from({ length: count }, () => COMING + random.below(MOST_COMING));
    const version = t.tally.nextVersion();
    const map = random.below(3);
    t.begin(`${count} keys ${rises ? "come" : "go"}`);
    if (rises && map === 0 && t.oneIn(4)) ledger.setMany(coming.map((key) => [key, stamp(key, version)] as const));
    else {
      for (const key of coming) {
        if (map === 1) {
          if (rises) texts.set(textKey(key), stampText(key, version));
          else texts.delete(textKey(key));
        } else {
          const numbers = map === 0 ? ledger : exact;
          if (rises) numbers.set(key, stamp(key, version));
          else numbers.delete(key);
        }
      }
    }
  }
}

function fill({ ledger, texts, counts }: Maps): void {
  for (let key = 0; key < STAYING; key++) ledger.set(key, stamp(key, 0));
  for (let key = 0; key < STAYING; key++) texts.set(textKey(key), stampText(key, 0));
  for (let key = 0; key < COUNTS; key++) counts.set(countKey(key), 0);
}

/** Main's part. */
export const hashMaps: Stage<KeyOperation> = {
  game: keys,
  remakes: true,
  open: (shared) => Object.values(openMaps(shared)),
  fill: (shared) => fill(openMaps(shared)),
  judge(shared, own, kills, fail) {
    const { counts, bounded } = openMaps(shared);
    const sums = new Sums(own);
    for (let key = 0; key < COUNTS; key++) {
      const wrong = sums.wrong(key, () => counts.get(countKey(key)) ?? -1);
      if (wrong !== undefined) fail("lost", `counts: ${wrong}`);
    }
    // A writer that died before it had swept leaves one too many.
    if (bounded.size > BOUND + kills) fail("lost", `bounded holds ${bounded.size} entries, at most ${BOUND} and one for each of ${kills} kills are allowed`);
  },
};

/** A thread's. */
export function workOnHashMaps(thread: Thread): Work {
  const reader = new Reader(thread);
  const updater = new Updater(thread);
  return workOf(thread, { read: () => reader.read(), update: () => updater.update(), special: () => reader.play() });
}

/** Threads of checked.test.ts: what each kind of work does in a turn. That it races with nothing is what the checker says. */

import { checkedHand } from "../../check/real/checked-hand.js";
import { COVERED, fill, isText, KEYS, textMap, textOf, u32Map, u128Map, update, versioned, versionOf, wideKey } from "../../check/support/maps.js";
import { checkOf, Random } from "../../check/support/seed.js";
import { bustGracePeriods } from "../../check/torture/disturb.js";
import { type Address, field, NULL, type Order } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { BOXES, type CheckedJob, COUNTERS, LOCK, MAILBOXES, POINTERS, type Work } from "./checked-job.js";

const TURN = 8;
const BLOCK_WORDS = 4;
/** Keys of the hash maps, and how many of them are never without a value. */
const HASH_KEYS = 300;
const HASH_ALWAYS = 40;

const self = checkedHand<CheckedJob>();
const { arena, job } = self;
const { memory } = arena.thread;
const { annotate } = memory;
const random = new Random(job.seed, job.index);
const common = (word: number): Address => field(job.common as Address, word);

/** A block of four words that belong together, published whole. */
function publishBlock(): void {
  const { domain } = arena;
  const block = domain.allocate(4 * BLOCK_WORDS, () => domain.arena.heap.kmalloc(4 * BLOCK_WORDS, job.index + 1));
  const value = random.bits() | 0;
  memory.write(block, value);
  memory.write(field(block, 1), checkOf(value) | 0);
  memory.copy(field(block, 2), block, 2);
  annotate.immutable(block, BLOCK_WORDS);
  const old = memory.exchange(common(random.below(POINTERS)), block) as Address;
  if (old === NULL) return;
  if (random.below(8) === 0) {
    domain.synchronizeSync();
    domain.arena.heap.kfree(old);
  } else domain.retire(old);
}

function readBlock(): void {
  arena.domain.read(() => {
    const block = arena.domain.dereference(common(random.below(POINTERS)));
    if (block === NULL) return;
    const value = memory.read(block);
    const check = memory.read(field(block, 1));
    if (check !== (checkOf(value) | 0) || memory.read(field(block, 2)) !== value) throw new Error(`block ${block} is torn`);
  });
}

/** Some keys always have a value; the others come for a while and go for a while, so that tables grow and shrink. */
function hashMaps(): { read(): void; write(): void } {
  const numbers = arena.map("numbers", { key: u32, value: versioned });
  const texts = arena.map("texts", { key: utf8, value: utf8 });
  const words = arena.map("words", { key: u32, value: u32 }); // whose lookup is a function of its own
  let writes = 0;
  for (let key = 0; key < HASH_ALWAYS; key++) numbers.setIfAbsent(key, versionOf(0));
  return {
    read() {
      const key = random.below(HASH_KEYS);
      const value = numbers.get(key);
      if (value === undefined ? key < HASH_ALWAYS : value.check !== checkOf(value.version)) throw new Error(`key ${key} has ${JSON.stringify(value)}`);
      numbers.read(key, ({ version, check }) => {
        if (check !== checkOf(version)) throw new Error(`the view of key ${key} is torn`);
      });
      const word = words.get(key);
      if (word !== undefined && word % HASH_KEYS !== key) throw new Error(`word ${key} has ${word}`);
      const text = texts.get(`key ${key}`);
      if (text !== undefined && !isText(text)) throw new Error(`the text of key ${key} is torn`);
    },
    write() {
      const key = random.below(HASH_KEYS);
      const goes = Math.floor(writes++ / HASH_KEYS) % 2 === 1;
      if (key >= HASH_ALWAYS && goes) {
        numbers.delete(key);
        texts.delete(`key ${key}`);
        words.delete(key);
      } else {
        numbers.update(key, (old) => versionOf((old?.version ?? 0) + 1));
        texts.set(`key ${key}`, textOf(random.below(100)));
        words.set(key, key + HASH_KEYS * random.below(1000));
      }
    },
  };
}

function maps(): { read(): void; write(): void } {
  const narrow = { map: u32Map(arena, "narrow"), encode: versionOf };
  const texts = { map: textMap(arena, "texts"), encode: textOf };
  const wide = u128Map(arena, "wide");
  if (job.writes) fill(narrow, random);
  return {
    read() {
      const key = random.below(KEYS);
      const value = narrow.map.get(key);
      if (value !== undefined && value.check !== checkOf(value.version)) throw new Error(`key ${key} is torn`);
      narrow.map.at(key, (view) => view.value.version + view.lo);
      texts.map.get(random.below(COVERED));
      wide.get(wideKey(random.below(64)));
    },
    write() {
      update(narrow, random);
      if (random.below(8) === 0) update(texts, random);
      if (random.below(4) === 0) wide.set(wideKey(random.below(64)), wideKey(64) - 1n, versionOf(random.below(100)));
    },
  };
}

const mine: Address[] = [];

/** Objects are taken here and freed anywhere: they go from hand to hand through mailboxes. */
function takeAndFree(): void {
  const { heap } = arena.domain.arena;
  const words = random.pick([2, 2, 8, 24, 100, 1500]);
  const object = random.below(40) === 0 ? heap.allocPages(random.below(2) as Order) : heap.kmalloc(4 * words, job.index + 1);
  if (object !== NULL) {
    memory.fill(object, 2, object);
    mine.push(object);
  }
  if (mine.length > 0 && random.below(2) === 0) {
    const at = common(MAILBOXES + random.below(BOXES));
    const other = memory.exchange(at, mine.shift() as Address) as Address;
    if (other !== NULL) mine.push(other);
  }
  while (mine.length > 40 || (mine.length > 0 && random.below(3) > 0)) {
    const freed = mine.splice(random.below(mine.length), 1)[0] as Address;
    if (memory.read(freed) !== freed || memory.read(field(freed, 1)) !== freed) throw new Error(`object ${freed} was written by somebody else`);
    if (random.below(4) === 0) arena.domain.retire(freed);
    else heap.kfree(freed);
  }
}

function countUnderLock(lock: RobustMutex): void {
  lock.lock();
  for (let i = 0; i < 4; i++) memory.write(common(COUNTERS + i), memory.read(common(COUNTERS + i)) + 1);
  // Long enough, now and then, for the others to fall asleep.
  for (let i = random.below(30) === 0 ? 300 : 0; i > 0; i--) memory.read(common(COUNTERS));
  lock.unlock();
}

/** Comes and goes, with a section and something left in limbo each time. */
function storm(): void {
  readBlock();
  publishBlock();
  if (random.below(3) === 0) arena.domain.synchronizeSync();
  arena.reattach();
}

/** What a thread does, once, of each kind of work. */
const works: Record<Work, () => () => void> = {
  blocks: () => (job.writes ? publishBlock : readBlock),
  map: () => {
    const { read, write } = hashMaps();
    return job.writes ? write : read;
  },
  intervalMap: () => {
    const { read, write } = maps();
    return job.writes ? write : read;
  },
  allocator: () => takeAndFree,
  mutex: () => {
    const lock = new RobustMutex(memory, common(LOCK), arena.domain.arena.heap.slot);
    return () => countUnderLock(lock);
  },
  storms: () => storm,
};

if (job.busted) bustGracePeriods();
const work = works[job.work]();
let done = 0;
self.begun();
self.loop(
  () => {
    const ends = performance.now() + TURN;
    do {
      work();
      done++;
      self.beat();
    } while (performance.now() < ends);
  },
  () => {
    for (const object of mine) arena.domain.arena.heap.kfree(object);
    arena.close();
    self.result(done);
  },
);

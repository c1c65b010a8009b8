/** What callers of shared.map may do that is unusual, or unkind: crafted keys, look-ups from within, errors at bad moments, clocks that are wrong. A hostile reading found each. */

import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { Random, seedOf } from "../../check/support/seed.js";
import { codec, jsonOf, Shared, u32, utf8 } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { Decoded } from "../../src/structures/map/decoded.js";
import { keysOf } from "../../src/structures/map/keys.js";
import { Tables } from "../../src/structures/map/tables.js";
import { countOf, MapWord } from "../../src/structures/map/words.js";
import { bytes } from "../../src/values/bytes.js";
import { openSharedMap, placeOf } from "../support/shared-maps.js";
import { SURVIVOR, THIRD, World } from "../support/world.js";

const code = (expected: string) => ({ code: expected });
const words = { key: u32, value: u32 } as const;

test("differences that undo each other in the next word do not give keys one hash, whatever the seed", () => {
  const random = new Random(seedOf("crafted keys"));
  // Of pairs of words, each as it is or with its highest bit flipped and what a product with 2^31 and a shift by 15 make of that: 2^10 keys.
  const crafted = Array.from({ length: 1024 }, (_, chosen) => {
    const key = new Int32Array(20);
    for (let pair = 0; pair < 10; pair++) {
      if (((chosen >>> pair) & 1) === 0) continue;
      key[2 * pair] = 0x80000000;
      key[2 * pair + 1] = 0x80010000;
    }
    return new Uint8Array(key.buffer);
  });
  for (let seeds = 0; seeds < 20; seeds++) {
    const keys = keysOf(bytes, random.bits() | 0);
    const hashes = new Set(crafted.map((key) => keys.parse(key)));
    assert.ok(hashes.size > 1000, `${hashes.size} hashes of 1,024 keys`);
  }
});

test("a tracepoint's subscriber looks up another key in the midst of an update, or of a lookup", () => {
  const shared = Shared.create({ bytes: 2 ** 21 });
  const map = shared.map("m", { key: utf8, value: utf8 });
  map.set("other", "o");
  const large = "v".repeat(30_000);
  assert.throws(() => {
    for (let i = 0; ; i++) map.set(`fill ${i}`, large);
  }, code("ERR_OUT_OF_MEMORY"));
  let looked = 0;
  const look = (): void => {
    looked++;
    map.get("other");
  };
  const started = channel("quiesce:rcu:grace-period-start");
  started.subscribe(look);
  try {
    map.delete("fill 0");
    map.set("new", large); // has to wait for what was deleted
  } finally {
    started.unsubscribe(look);
  }
  assert.ok(looked > 0);
  assert.deepEqual([map.get("other"), map.get("new"), [...map.keys()].filter((key) => key === "other").length, map.check()], ["o", large, 1, []]);
  shared.close();
});

test("a quiescent state's subscriber looks up another key between what get() finds and what it decodes", () => {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const map = shared.map("m", { key: utf8, value: jsonOf<{ i: number }>(), decoded: 256 });
  const other = shared.map("other", words);
  for (let i = 0; i < 1000; i++) map.set(`k${i}`, { i });
  let looked = 0;
  const look = (): void => {
    looked++;
    map.get("k0");
  };
  const reported = channel("quiesce:rcu:quiescent-state-report");
  reported.subscribe(look);
  try {
    for (let i = 0; i < 5000; i++) {
      if (i % 20 === 0) {
        other.set(1, i);
        shared.domain.startPoll();
      }
      assert.equal(map.get(`k${i % 1000}`)?.i, i % 1000);
    }
  } finally {
    reported.unsubscribe(look);
  }
  assert.ok(looked > 0);
  shared.close();
});

test("size is right when one thread has counted past 2^31 what another has taken out, and never negative", () => {
  const world = new World(16);
  const [domain, other] = [world.domain(SURVIVOR), world.domain(THIRD)];
  const schema = { ...words, maxEntries: 100 };
  const map = openSharedMap(domain, schema);
  const { memory, heap } = domain.arena;
  const { header } = placeOf(domain, schema, "map");
  const [mine, theirs] = [heap.slot.index, other.arena.heap.slot.index].map((slot) => countOf(header, slot)) as [Address, Address];
  map.set(1, 1);
  memory.store(mine, 2 ** 31 - 1);
  memory.store(theirs, -(2 ** 31 - 2));
  assert.equal(map.size, 1);
  for (let i = 0; i < 300; i++) map.set(i, i);
  other.offline(() => {});
  assert.deepEqual([map.size, [...map].length, map.check()], [100, 100, []]);
  const before = memory.load(mine);
  memory.store(mine, (before - 150) | 0); // as when another's entry is counted out before it is counted in
  assert.equal(map.size, 0);
  memory.store(mine, before);
  for (const attached of [domain, other]) attached.detach();
});

test("snapshot() decodes when it has let the map go, also where it had to hold it", () => {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const { memory, heap } = shared.domain.arena;
  let lock: RobustMutex | undefined;
  let decoded = 0;
  const value = codec<number>({
    name: "one",
    encode: (number) => Uint8Array.of(number),
    decode: ([number]) => {
      decoded++;
      assert.equal(lock?.held ?? false, false, "nobody waits for the decoding");
      return number as number;
    },
    freeze: false,
  });
  const schema = { key: u32, value };
  const map = shared.map("m", schema);
  for (let i = 0; i < 10; i++) map.set(i, i);
  lock = new RobustMutex(memory, field(placeOf(shared.domain, schema, "m").header, MapWord.LOCK), heap.slot);
  const { collectTwice } = Tables.prototype;
  Tables.prototype.collectTwice = () => undefined; // as when writers are at work each time
  try {
    assert.equal(map.snapshot().size, 10);
  } finally {
    Tables.prototype.collectTwice = collectTwice;
  }
  assert.equal(decoded, 10);
  map.set(10, 10);
  assert.deepEqual([map.size, map.check()], [11, []]);
  shared.close();
});

test("decoded values are let go with their entries, and when they take too many bytes", () => {
  const decoded = new Decoded<string>(1024, 10_000);
  for (let i = 0; i < 10; i++) decoded.set(i * 4, 1, `v${i}`, 900);
  assert.equal(decoded.get(36, 1), "v9");
  decoded.forget(36);
  assert.equal(decoded.get(36, 1), undefined);
  decoded.set(40, 1, "fits, since one has gone", 1900);
  assert.deepEqual([decoded.get(0, 1), decoded.get(40, 1)], ["v0", "fits, since one has gone"]);
  decoded.set(44, 1, "one too many", 900);
  assert.deepEqual([decoded.get(0, 1), decoded.get(40, 1), decoded.get(44, 1)], [undefined, undefined, "one too many"]);
  decoded.set(44, 2, "newer", 9000);
  assert.deepEqual([decoded.get(44, 1), decoded.get(44, 2)], [undefined, "newer"]);
  for (let i = 0; i < 600; i++) decoded.set(i * 4, 2, "", 1);
  decoded.clear();
  for (let i = 0; i < 600; i++) assert.equal(decoded.get(i * 4, 2), undefined);

  const shared = Shared.create({ bytes: 2 ** 22 });
  const map = shared.map("m", { key: utf8, value: jsonOf<{ i: number }>() });
  map.set("a", { i: 1 });
  const held = new WeakRef(map.get("a") as object);
  map.delete("a");
  assert.equal(map.get("a"), undefined);
  shared.close();
  assert.ok(held.deref() === undefined || typeof gc === "undefined");
});

for (const next of ["set", "clear"])
  test(`an error after the compareExchange, that the caller catches: the next ${next}() of the same turn counts right`, () => {
    const shared = Shared.create({ bytes: 2 ** 22 });
    const map = shared.map("m", words);
    for (let i = 0; i < 4; i++) map.set(i, i);
    const { heap, memory } = shared.domain.arena;
    const { compareExchange } = memory;
    const { linkOf } = heap;
    let armed = false;
    memory.compareExchange = (address, expected, value) => {
      const found = compareExchange.call(memory, address, expected, value);
      if (found === expected && (new Error().stack ?? "").includes("Publication.publish")) armed = true;
      return found;
    };
    heap.linkOf = (object) => {
      if (!armed) return linkOf.call(heap, object);
      armed = false;
      memory.compareExchange = compareExchange;
      heap.linkOf = linkOf;
      throw new RangeError("Maximum call stack size exceeded");
    };
    assert.throws(() => map.set(100, 1), RangeError);
    if (next === "clear") map.clear();
    map.set(101, 1);
    const left = next === "clear" ? 1 : 6;
    assert.deepEqual([map.size, [...map].length, map.check()], [left, left, []]);
    shared.close();
  });

test("what is no version is refused, and changes nothing", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const map = shared.map("m", words);
  map.set(1, 1);
  for (const none of [undefined, null, "0", Number.NaN, -1, 1.5, 2 ** 32]) {
    assert.throws(() => map.compareAndSet(1, none as number, 2), code("ERR_VERSION"));
    assert.throws(() => map.compareAndDelete(1, none as number), code("ERR_VERSION"));
  }
  assert.equal(map.get(1), 1);
  shared.close();
});

test("a bounded map comes back to its bound, and makes no table for entries that it will not have", () => {
  const shared = Shared.create({ bytes: 2 ** 24 });
  const map = shared.map("m", { ...words, maxEntries: 100 });
  const { memory } = shared.domain.arena;
  const { add } = memory;
  for (let i = 0; i < 100; i++) map.set(i, i);
  memory.add = () => {
    throw new RangeError("as if the thread ended here, before the hand moves");
  };
  for (let i = 200; i < 220; i++) assert.throws(() => map.set(i, i), RangeError);
  memory.add = add;
  assert.equal(map.size, 120);
  for (let i = 1000; i < 1010; i++) map.set(i, i);
  assert.deepEqual([map.size, map.check()], [100, []]);
  const other = shared.map("other", { ...words, maxEntries: 100 });
  other.setMany(Array.from({ length: 5000 }, (_, i) => [i, i]));
  assert.deepEqual([other.size, other.buckets <= 256], [100, true]);
  shared.close();
});

test("a table shrinks when its entries expire, not only when they are deleted", () => {
  const shared = Shared.create({ bytes: 2 ** 24 });
  let time = Date.now();
  const map = openSharedMap(shared.domain, { ...words, ttl: 1000 }, { now: () => time });
  for (let i = 0; i < 5000; i++) map.set(i, i);
  const most = map.buckets;
  for (let i = 0; i < 20_000; i++) {
    map.set(10_000 + i, i);
    if (i % 100 === 0) time += 1000;
  }
  assert.ok(map.buckets <= most / 4, `${map.buckets} buckets for ${map.size} entries; there were ${most}`);
  assert.deepEqual(map.check(), []);
  shared.close();
});

test("a table that setMany() makes does not shrink while more expire than come", () => {
  const shared = Shared.create({ bytes: 2 ** 25 });
  let time = Date.now();
  const map = openSharedMap(shared.domain, { ...words, ttl: 1000 }, { now: () => time });
  for (let i = 0; i < 5000; i++) map.set(i, i);
  time += 5000;
  const { resize } = Tables.prototype;
  let resized = 0;
  Tables.prototype.resize = function (bits) {
    resized++;
    return resize.call(this, bits);
  };
  try {
    map.setMany(Array.from({ length: 50_000 }, (_, i) => [10_000 + i, i]));
  } finally {
    Tables.prototype.resize = resize;
  }
  assert.equal(resized, 1);
  assert.deepEqual(map.check(), []);
  shared.close();
});

test("where the time of day is before the map's making, entries do not stay for years", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const made = Date.now();
  let time = made;
  const map = openSharedMap(shared.domain, { ...words, ttl: 60_000 }, { now: () => time });
  time = made - 3_600_000;
  map.set(1, 1);
  assert.equal(map.get(1), 1);
  time = made + 24 * 3_600_000;
  assert.equal(map.get(1), undefined);
  shared.close();
});

test("a function that changes the key whose update() calls it is refused; another key it may change", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const map = shared.map("m", { key: utf8, value: jsonOf<number>() });
  const inside: Record<string, () => unknown> = {
    set: () => map.set("a", 2),
    delete: () => map.delete("a"),
    update: () => map.update("a", () => 2),
    toJSON: () => ({ toJSON: () => map.set("a", 2).size }),
  };
  map.set("a", 1);
  for (const [name, fn] of Object.entries(inside)) assert.throws(() => map.update("a", fn as never), code("ERR_IN_UPDATE"), name);
  assert.equal(map.get("a"), 1);
  const made = map.update("a", () => {
    map.update("b", () => 7);
    return 3;
  });
  assert.deepEqual([made, map.get("a"), map.get("b"), map.check()], [3, 3, 7, []]);
  map.set("a", 4);
  shared.close();
});

test("a watch of all keys whose first look throws leaves nobody counted as watching", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  let broken = false;
  const key = codec<string>({
    name: "key",
    encode: (text) => new TextEncoder().encode(text),
    decode: (encoded) => {
      if (broken) throw new RangeError("not now");
      return new TextDecoder().decode(encoded);
    },
  });
  const schema = { key, value: u32 };
  const map = shared.map("m", schema);
  map.set("a", 1);
  broken = true;
  for (let i = 0; i < 3; i++) assert.throws(() => map.watch(), RangeError);
  const { memory } = shared.domain.arena;
  assert.equal(memory.load(field(placeOf(shared.domain, schema, "m").header, MapWord.WATCHERS)), 0);
  shared.close();
});

test("small surprises: a ttl that is text, updates in a section, forEach's thisArg", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const timed = shared.map("timed", { ...words, ttl: 1000 });
  for (const ttl of ["1000", 5n]) assert.throws(() => timed.set(1, 1, { ttl: ttl as never }), code("ERR_INVALID_SIZE"), String(ttl));
  const map = shared.map("m", words);
  map.set(1, 1);
  for (const update of [() => void map.update(2, () => undefined), () => void map.setIfAbsent(1, 2)])
    assert.throws(() => shared.domain.read(update), code("ERR_IN_SECTION"));
  const seen: unknown[] = [];
  map.forEach(function (this: unknown, value) {
    seen.push(this, value);
  }, "this");
  assert.deepEqual(seen.map(String), ["this", "1"]);
  shared.close();
});

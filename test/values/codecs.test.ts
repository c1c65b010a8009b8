/** Codecs: what is written is read, equals and same agree with it, and what was prepared is nobody else's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { type Address, field } from "../../src/memory/address.js";
import { blockEquals } from "../../src/values/block.js";
import { bytes } from "../../src/values/bytes.js";
import { type CodecBase, isCodec } from "../../src/values/codec.js";
import { codec } from "../../src/values/custom.js";
import { f64 } from "../../src/values/f64.js";
import { json } from "../../src/values/json.js";
import { rcuHead } from "../../src/values/rcu-head.js";
import { bool, i32, u8, u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { AT, GUARD, guardedMemory } from "../support/guarded-memory.js";

const record = struct({ country: u16, version: u32, flag: u16 });
const nested = struct({ at: struct({ x: f64, y: f64 }), on: bool, deep: struct({ inner: struct({ one: u8 }) }), head: rcuHead, last: i32 });
/** A codec of the user's, for values with a type of their own. */
const duration = codec<{ hours: number; minutes: number }>({
  name: "duration",
  encode: ({ hours, minutes }) => Uint8Array.of(hours, minutes),
  decode: ([hours = 0, minutes = 0]) => ({ hours, minutes }),
  size: 2,
});

const records = fc.record({ country: fc.nat(65535), version: fc.nat(0xffffffff), flag: fc.nat(65535) }, { noNullPrototype: true });
const numbers = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324));
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ maxLength: 60 }),
  fc.constantFrom("", "é", "🙂", "\0", "a\0b", "\ufeffx", "\uffff"),
);
const plain = { noNullPrototype: true };
const nestedValues = fc.record(
  {
    at: fc.record({ x: numbers, y: numbers }, plain),
    on: fc.boolean(),
    deep: fc.record({ inner: fc.record({ one: fc.nat(255) }, plain) }, plain),
    head: fc.constant(0),
    last: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  },
  plain,
);
const durations = fc.record({ hours: fc.nat(23), minutes: fc.nat(59) }, plain);
// -0 is the one value that JSON loses.
const jsonValues = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)));

/** Two values' identity, where strict deep equality is that of Object.is. */
function alike(a: unknown, b: unknown): boolean {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

function codecTest<T>(name: string, values: fc.Arbitrary<T>, codec: CodecBase<T>, areAlike: (a: T, b: T) => boolean = alike): void {
  test(`${name}: read gives what was written; equals and same agree`, () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const memory = guardedMemory();
        const [one, other] = [codec.prepare(a), codec.prepare(b)];
        codec.write(memory, AT, one);
        assert.deepEqual(codec.read(memory, AT), a);
        assert.ok(codec.same(codec.stored(memory, AT), one));
        assert.equal(codec.equals(memory, AT, one), true);
        assert.equal(codec.equals(memory, AT, codec.prepare(structuredClone(a))), true);
        const isAlike = areAlike(a, b);
        assert.equal(codec.equals(memory, AT, other), isAlike);
        assert.equal(codec.same(one, other), isAlike);
        // It wrote its own words only.
        assert.equal(memory.read((AT - 1) as Address), GUARD);
        assert.equal(memory.read(field(AT, Math.ceil(codec.bytes(one) / 4))), GUARD);
        if (codec.words !== undefined) assert.equal(codec.bytes(one), 4 * codec.words);
        // What is stored can be stored elsewhere as it is.
        const elsewhere = field(AT, 2000);
        codec.write(memory, elsewhere, codec.stored(memory, AT));
        assert.deepEqual(codec.read(memory, elsewhere), a);
        // And where another value stood before.
        codec.write(memory, AT, other);
        assert.deepEqual(codec.read(memory, AT), b);
        assert.equal(codec.equals(memory, AT, one), isAlike);
        // Copies are equal, and apart.
        assert.deepEqual(codec.copy(a), a);
        assert.ok(apart(codec.copy(a), a));
        assert.ok(apart(codec.read(memory, AT), codec.read(memory, AT)));
        if (codec.canFreeze) assert.ok(isFrozen(codec.freeze(codec.read(memory, AT))));
        assert.deepEqual(codec.freeze(codec.read(memory, AT)), b);
      }),
      { seed: seedOf(name), numRuns: 500 },
    );
  });
}

/** Whether no object is reachable from both. */
function apart(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || a === null) return true;
  return a !== b && Object.entries(a).every(([key, value]) => apart(value, (b as Record<string, unknown>)[key]));
}

function isFrozen(value: unknown): boolean {
  return Object.isFrozen(value) && (typeof value !== "object" || value === null || Object.values(value).every(isFrozen));
}

codecTest("u8", fc.nat(255), u8);
codecTest("u16", fc.oneof(fc.nat(65535), fc.constantFrom(0, 1, 32767, 32768, 65535)), u16);
codecTest("u32", fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)), u32);
codecTest("i32", fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), i32);
codecTest("f64", numbers, f64, Object.is);
codecTest("bool", fc.boolean(), bool);
codecTest("utf8", texts, utf8);
codecTest("bytes", fc.uint8Array({ maxLength: 300 }), bytes);
codecTest("json", jsonValues, json, (a, b) => JSON.stringify(a) === JSON.stringify(b));
codecTest("struct", records, record);
codecTest("nested struct", nestedValues, nested);
codecTest("custom", durations, duration);
// Values that are nearly alike, which random ones seldom are.
codecTest("utf8 of few letters", fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 }), utf8);
codecTest("bytes of few values", fc.uint8Array({ max: 1, maxLength: 6 }), bytes);
codecTest("json of few values", fc.array(fc.constantFrom(null, true, 0, ""), { maxLength: 2 }), json);
codecTest("struct of few values", fc.record({ country: fc.nat(1), version: fc.nat(1), flag: fc.nat(1) }, plain), record);
codecTest("f64 of few values", fc.constantFrom(0, -0, Number.NaN, 1), f64, Object.is);

test("numbers that are equal are stored alike, whatever zero; f64 keeps what it is given", () => {
  const memory = guardedMemory();
  for (const whole of [u8, u16, u32, i32]) {
    whole.write(memory, AT, whole.prepare(-0));
    assert.ok(Object.is(whole.read(memory, AT), 0));
    assert.ok(whole.equals(memory, AT, -0) && whole.equals(memory, AT, 0) && whole.same(0, -0), whole.name);
  }
  f64.write(memory, AT, -0);
  assert.ok(Object.is(f64.read(memory, AT), -0) && !f64.equals(memory, AT, 0));
  // Any of the NaNs there are.
  const odd = new Float64Array(Uint32Array.of(7, 0x7ff00001).buffer)[0] as number;
  f64.write(memory, AT, odd);
  const stored = [memory.read(AT), memory.read(field(AT, 1))];
  f64.write(memory, AT, -Number.NaN);
  assert.deepEqual([memory.read(AT), memory.read(field(AT, 1))], stored);
  assert.ok(f64.equals(memory, AT, Number.NaN) && f64.equals(memory, AT, odd) && f64.same(odd, Number.NaN));
});

test("what was prepared its giver cannot change", () => {
  const given = Uint8Array.of(1, 2, 3);
  const prepared = bytes.prepare(given);
  given[0] = 9;
  assert.deepEqual(prepared, Uint8Array.of(1, 2, 3));
  const shared = new Uint8Array(new SharedArrayBuffer(3));
  assert.ok(bytes.prepare(shared).buffer instanceof ArrayBuffer);
  assert.deepEqual(bytes.prepare(Buffer.from("abc")), Uint8Array.of(97, 98, 99));
  assert.equal(Object.getPrototypeOf(bytes.copy(Buffer.from("abc"))), Uint8Array.prototype);
  const point = { at: { x: 1, y: 2 }, on: true, deep: { inner: { one: 1 } }, head: 0, last: -1 };
  const held = nested.prepare(point);
  point.at.x = 7;
  assert.equal(held.at.x, 1);
  const scratch = new Uint8Array(2);
  const reusing = codec<number>({ name: "reusing", encode: (value) => scratch.fill(value), decode: ([value = 0]) => value });
  const first = reusing.prepare(1);
  reusing.prepare(2);
  assert.deepEqual(first, Uint8Array.of(1, 1));
});

test("a block is compared with any part of other bytes, and what is behind its last byte does not count", () => {
  const random = fc.uint8Array({ max: 2, maxLength: 12 });
  fc.assert(
    fc.property(random, random, fc.nat(12), fc.nat(12), fc.boolean(), (held, other, from, to, take) => {
      const memory = guardedMemory();
      bytes.write(memory, AT, held);
      const start = Math.min(from, to, other.length);
      const end = Math.min(Math.max(from, to), other.length);
      const whole = take ? Uint8Array.of(...other.slice(0, start), ...held, ...other.slice(start)) : other;
      const last = take ? start + held.length : end;
      assert.equal(blockEquals(memory, AT, whole, start, last), alike(held, whole.slice(start, last)));
    }),
    { seed: seedOf("parts of bytes"), numRuns: 2000 },
  );
});

test("each codec's text is its own, and says what it is", () => {
  const all = [
    u8,
    u16,
    u32,
    i32,
    f64,
    bool,
    utf8,
    bytes,
    json,
    rcuHead,
    record,
    nested,
    duration,
    struct({ a: u8 }),
    struct({ a: u16 }),
    struct({ b: u8 }),
    struct({ a: u8, b: u8 }),
    struct({ a: struct({ b: u8 }) }),
    struct({ a: struct({ b: u8 }), c: u8 }),
    struct({ a: struct({ b: u8, c: u8 }) }),
    ...["u8", "utf8", "a", "b", "duration"].map((name) => codec({ name, encode: () => new Uint8Array(), decode: () => 0 })),
  ];
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
  for (const one of all) assert.ok(isCodec(one) && !/\n/.test(one.name), one.name);
  assert.equal(record.name, "struct{country:u16,version:u32,flag:u16}");
  assert.equal(nested.name, "struct{at:struct{x:f64,y:f64},on:bool,deep:struct{inner:struct{one:u8}},head:rcuHead,last:i32}");
  assert.equal(duration.name, "custom(duration,2)");
  for (const none of [undefined, null, 7, "u8", {}, { name: "u8" }, { name: "u8", read: () => 0 }]) assert.equal(isCodec(none), false);
});

test("words of the fixed ones", () => {
  assert.deepEqual(
    [u8, u16, u32, i32, bool, f64, rcuHead, record, nested, utf8, bytes, json, duration].map(({ words }) => words),
    [1, 1, 1, 1, 1, 2, 2, 3, 9, undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(nested.offsets, { at: 0, on: 4, deep: 5, head: 6, last: 8 });
});

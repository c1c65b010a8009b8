/** Codecs: what is written is read, equals and same agree with it, and what cannot be held is refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { type Address, field } from "../../src/memory/address.js";
import { QuiesceError } from "../../src/memory/errors.js";
import { SharedMemory } from "../../src/memory/memory.js";
import type { Codec } from "../../src/values/codec.js";
import { ValueError } from "../../src/values/errors.js";
import { u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";

const AT = 3 as Address;
const WORDS = 4096;
const GUARD = 0x5a5a5a5a;

/** Memory in which every word can be seen to have been written. */
function guarded(): SharedMemory {
  const memory = new SharedMemory(new SharedArrayBuffer(WORDS * 4));
  memory.fill(0 as Address, WORDS, GUARD);
  return memory;
}

const record = struct({ country: u16, version: u32, flag: u16 });
const records = fc.record({ country: fc.nat(65535), version: fc.nat(0xffffffff), flag: fc.nat(65535) }, { noNullPrototype: true });
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ maxLength: 60 }),
  fc.constantFrom("", "é", "🙂", "\0", "a\0b", "\ufeffx", "\uffff"),
);

function wordsOf<T, V>(codec: Codec<T, V>, value: T): number {
  return codec.words ?? Math.ceil(codec.bytes(value) / 4);
}

function codecTest<T, V>(name: string, codec: Codec<T, V>, values: fc.Arbitrary<T>): void {
  test(`${name}: read gives what was written; equals and same agree`, () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const memory = guarded();
        codec.check(a);
        codec.check(b);
        codec.write(memory, AT, a);
        assert.deepEqual(codec.read(memory, AT), a);
        const alike = JSON.stringify(a) === JSON.stringify(b);
        assert.equal(codec.equals(memory, AT, a), true);
        assert.equal(codec.equals(memory, AT, b), alike);
        assert.equal(codec.same(a, b), alike);
        assert.equal(codec.same(a, structuredClone(a)), true);
        // It wrote its own words only.
        assert.equal(memory.read((AT - 1) as Address), GUARD);
        assert.equal(memory.read(field(AT, wordsOf(codec, a))), GUARD);
        // And where another value stood before.
        codec.write(memory, AT, b);
        assert.deepEqual(codec.read(memory, AT), b);
        assert.equal(codec.equals(memory, AT, a), alike);
      }),
      { seed: seedOf(name), numRuns: 500 },
    );
  });
}

codecTest("u16", u16, fc.oneof(fc.nat(65535), fc.constantFrom(0, 1, 32767, 32768, 65535)));
codecTest("u32", u32, fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)));
codecTest("utf8", utf8, texts);
codecTest("struct", record, records);
// Values that are nearly alike, which random ones seldom are.
codecTest("utf8 of few letters", utf8, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 }));
codecTest("struct of few values", record, fc.record({ country: fc.nat(1), version: fc.nat(1), flag: fc.nat(1) }, { noNullPrototype: true }));

function refuses(codec: { check(value: never): void }, value: unknown, says: RegExp, code = "ERR_VALUE_TYPE"): void {
  assert.throws(
    () => codec.check(value as never),
    (error: unknown) => {
      assert.ok(error instanceof ValueError, String(error));
      assert.equal(error.name, "ValueError");
      assert.equal(error.code, code);
      assert.match(error.message, says);
      return true;
    },
    `${String(value)} was accepted`,
  );
}

test("numbers that are none are refused", () => {
  for (const [codec, most] of [
    [u16, 65535],
    [u32, 4294967295],
  ] as const) {
    for (const value of [-1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "7", 7n, null, undefined, true, {}, [7], Symbol("s")]) {
      refuses(codec, value, new RegExp(`^a ${codec.name} is a whole number from 0 to ${most}; got `));
    }
    codec.check(0);
    codec.check(most);
  }
  refuses(u16, "seven", /got "seven"/);
  refuses(u16, 7n, /got 7n/);
  refuses(u16, Number.NaN, /got NaN/);
});

test("text that is none, is too long, or is not well-formed is refused", () => {
  for (const value of [7, null, undefined, {}, ["a"], Symbol("s")]) refuses(utf8, value, /a utf8 is a string; got /);
  for (const value of ["\ud800", "a\udc00b", "\udc00\ud800", `${"x".repeat(1000)}\ud83d`]) refuses(utf8, value, /well-formed Unicode; got a lone surrogate/);
  const most = 2 ** 22 - 4;
  utf8.check("x".repeat(most));
  refuses(utf8, "x".repeat(most + 1), new RegExp(`at most ${most} bytes; got one of ${most + 1}`), "ERR_VALUE_TOO_LARGE");
  utf8.check("é".repeat(most / 2));
  refuses(utf8, "é".repeat(most / 2 + 1), /at most/, "ERR_VALUE_TOO_LARGE");
  refuses(utf8, "🙂".repeat(most / 4 + 1), /at most/, "ERR_VALUE_TOO_LARGE");
});

test("structs that are none are refused, by the field", () => {
  const good = { country: 1, version: 2, flag: 3 };
  record.check(good);
  record.check({ ...good, more: "is not looked at" } as never);
  for (const value of [null, undefined, 7, "text", true]) refuses(record, value, /a struct is an object with the fields country, version, flag; got /);
  for (const [name, value] of [
    ["country", 65536],
    ["version", -1],
    ["flag", Number.NaN],
    ["flag", undefined],
    ["version", "2"],
  ] as const) {
    refuses(record, { ...good, [name]: value }, new RegExp(`^field ${name}: a u`));
  }
});

test("schemas that cannot be are refused", () => {
  const schema = (fields: unknown, says: RegExp): void => {
    assert.throws(
      () => struct(fields as never),
      (error: unknown) => error instanceof QuiesceError && error.code === "ERR_SCHEMA" && says.test(error.message),
    );
  };
  schema({}, /at least one field/);
  schema({ text: utf8 }, /field text of a struct must be of fixed size/);
  schema({ none: undefined }, /field none/);
  for (const name of ["__proto__", "", "a:u16,b", "a\nb", "1st", "a b"]) schema({ [name]: u16 }, /a struct's field is called by an identifier; got "/);
  assert.equal(record.name, "struct{country:u16,version:u32,flag:u16}");
  assert.equal(record.words, 3);
});

test("a view shows the value in place, moves, and ends", () => {
  const memory = guarded();
  record.write(memory, AT, { country: 1, version: 2 ** 32 - 1, flag: 3 });
  record.write(memory, field(AT, 100), { country: 9, version: 8, flag: 7 });
  const view = record.view();
  const shown = view.at(memory, AT);
  assert.deepEqual([shown.country, shown.version, shown.flag], [1, 2 ** 32 - 1, 3]);
  memory.write(AT, 4);
  assert.equal(shown.country, 4, "it is no copy");
  const other = record.view().at(memory, field(AT, 100));
  assert.deepEqual([other.country, shown.country], [9, 4], "each view looks where it was put");
  view.at(memory, field(AT, 100));
  assert.equal(shown.country, 9);
  view.end();
  for (const name of ["country", "version", "flag"] as const) {
    assert.throws(
      () => shown[name],
      (error: unknown) => error instanceof QuiesceError && error.code === "ERR_VIEW_ENDED" && /copy what you need/.test(error.message),
    );
  }
  assert.equal(view.at(memory, AT).country, 4, "and can be used again");
  assert.equal(u16.view().at(memory, AT), 4);
});

/** Structs: refusals by field, views that move and end, structs in structs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { field } from "../../src/memory/address.js";
import { QuiesceError } from "../../src/memory/errors.js";
import { f64 } from "../../src/values/f64.js";
import { json } from "../../src/values/json.js";
import { bool, u8, u16, u32 } from "../../src/values/scalars.js";
import { containerOf, offsetOf, type StructOf, type StructView, struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { AT, guardedMemory } from "../support/guarded-memory.js";
import { refuses } from "../support/refusals.js";

const record = struct({ country: u16, version: u32, flag: u16 });
const fields = { name: u32, at: struct({ x: f64, on: bool, deep: struct({ z: u8 }) }), last: u8 };
const nested = struct(fields);
const value: StructOf<typeof fields> = { name: 1, at: { x: 0.5, on: true, deep: { z: 3 } }, last: 4 };

test("structs that are none are refused, by the field", () => {
  const good = { country: 1, version: 2, flag: 3 };
  record.check(good);
  record.check({ ...good, more: "is not looked at" } as never);
  assert.deepEqual(record.prepare({ ...good, more: "is not taken" } as never), good);
  for (const none of [null, undefined, 7, "text", true]) refuses(record, none, /a struct is an object with the fields country, version, flag; got /);
  for (const [name, wrong] of [
    ["country", 65536],
    ["version", -1],
    ["flag", Number.NaN],
    ["flag", undefined],
    ["version", "2"],
  ] as const) {
    refuses(record, { ...good, [name]: wrong }, new RegExp(`^field ${name}: a u`));
  }
  refuses(nested, { ...value, at: undefined }, /^field at: a struct is an object with the fields x, on, deep; got undefined/);
  refuses(nested, { ...value, at: { ...value.at, deep: { z: 256 } } }, /^field at: field deep: field z: a u8 is a whole number from 0 to 255; got 256/);
});

test("schemas that cannot be are refused", () => {
  const schema = (given: unknown, says: RegExp): void => {
    assert.throws(
      () => struct(given as never),
      (error: unknown) => error instanceof QuiesceError && error.code === "ERR_SCHEMA" && says.test(error.message),
    );
  };
  schema({}, /at least one field/);
  schema({ text: utf8 }, /field text of a struct must be of fixed size .*; got "utf8"/);
  schema({ at: json }, /field at of a struct must be of fixed size .*; got "json"/);
  schema({ none: undefined }, /field none/);
  for (const name of ["__proto__", "", "a:u16,b", "a\nb", "1st", "a b"]) schema({ [name]: u16 }, /a struct's field is called by an identifier; got "/);
});

test("a struct's values are taken field by field, once, and frozen with what is in them", () => {
  let asked = 0;
  const given = { ...value, name: 0 };
  Object.defineProperty(given, "name", { enumerable: true, get: () => ++asked });
  assert.equal(nested.prepare(given).name, 1);
  assert.equal(asked, 1);
  const frozen = nested.freeze(nested.copy(value));
  assert.ok(Object.isFrozen(frozen) && Object.isFrozen(frozen.at) && Object.isFrozen(frozen.at.deep));
  assert.ok(!Object.isFrozen(value.at));
  const copy = nested.copy(frozen);
  copy.at.deep.z = 9;
  assert.deepEqual([copy.at.deep.z, frozen.at.deep.z], [9, 3]);
});

test("offsets count the words of nested structs", () => {
  assert.equal(nested.words, 6);
  assert.equal(offsetOf(nested, "last"), 5);
  assert.equal(containerOf(field(AT, 1), nested, "at"), AT);
  assert.throws(() => offsetOf(nested, "x" as never), /has no field "x"/);
});

function ended(look: () => unknown): void {
  assert.throws(look, (error: unknown) => error instanceof QuiesceError && error.code === "ERR_VIEW_ENDED" && /copy what you need/.test(error.message));
}

test("a view shows the value in place, moves, and ends", () => {
  const memory = guardedMemory();
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
  for (const name of ["country", "version", "flag"] as const) ended(() => shown[name]);
  assert.equal(view.at(memory, AT).country, 4, "and can be used again");
  assert.equal(u16.view().at(memory, AT), 4);
});

test("a nested struct's view is in place, moves and ends with the outer one", () => {
  const memory = guardedMemory();
  nested.write(memory, AT, value);
  nested.write(memory, field(AT, 100), { name: 9, at: { x: -0, on: false, deep: { z: 8 } }, last: 7 });
  const view = nested.view();
  const shown: StructView<typeof fields> = view.at(memory, AT);
  const { at } = shown;
  const { deep } = at;
  assert.deepEqual({ ...shown, at: { ...at, deep: { ...deep } } }, value);
  f64.write(memory, field(AT, offsetOf(nested, "at")), 2.5);
  assert.equal(at.x, 2.5, "it is no copy");
  view.at(memory, field(AT, 100));
  assert.deepEqual([at.x, at.on, deep.z, shown.at.deep.z], [-0, false, 8, 8], "what was shown before goes along");
  view.end();
  for (const look of [() => shown.at, () => at.x, () => at.deep, () => deep.z]) ended(look);
  assert.equal(view.at(memory, AT).at.deep.z, 3);
  assert.equal(deep.z, 3);
  // A struct is taken from a view as from an object.
  assert.deepEqual(nested.prepare(view.at(memory, AT)), { ...value, at: { ...value.at, x: 2.5 } });
});

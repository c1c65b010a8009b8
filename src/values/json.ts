/**
 * What JSON can say, as its text in UTF-8.
 *
 * What is read is what was written: whatever JSON.stringify would leave out or replace in silence (undefined, functions, symbols, NaN, instances of
 * classes, Map, holes in arrays) is refused. An object's or a class's own `toJSON` is respected: then what it gives is stored, and read. Only -0 is
 * stored as 0, and left out are keys that are symbols, and what an array has besides its elements (such as `index` and `groups` of a match).
 *
 * Two values are equal when their texts are: {a, b} and {b, a} differ.
 */

import { blockCodec } from "./block.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { decodeText, encodeText } from "./text.js";

/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Deepest nesting: of what goes deeper, the walks here might overflow the stack of a reader that stands deep itself. */
const MOST_DEPTH = 1000;

/** Values that JSON can say. Typed by the caller: `jsonOf`. */
export const json: VariableCodec<Json> = blockCodec<Json>({
  name: "json",
  encode,
  decode,
  copy: (value) => decode(encode(value)),
  freeze: freezeDeep,
  canFreeze: true,
});

/** `json` for values of a type that is known to TypeScript only. */
export function jsonOf<T>(): VariableCodec<T> {
  return json as VariableCodec<unknown> as VariableCodec<T>;
}

function encode(value: Json): Uint8Array<ArrayBuffer> {
  return encodeText(JSON.stringify(sayable(value, { objects: [], keys: [] })));
}

function decode(bytes: Uint8Array<ArrayBuffer>): Json {
  return JSON.parse(decodeText(bytes)) as Json;
}

/** Where a walk stands: the objects around, and the key in each. */
interface Path {
  readonly objects: object[];
  readonly keys: (string | number)[];
}

/**
 * A value as JSON.stringify says it whole: itself, or a copy if a toJSON in it gives something else.
 * @throws ValueError for what JSON cannot say; what a toJSON throws
 */
function sayable(given: unknown, path: Path): unknown {
  let value = given;
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      break;
    default:
      // Strings and numbers are not asked by JSON.stringify either.
      if (typeof (value as { toJSON?: unknown } | null | undefined)?.toJSON === "function") {
        value = (value as { toJSON(key: string): unknown }).toJSON(String(path.keys.at(-1) ?? ""));
      }
  }
  if (typeof value === "object") return value === null ? value : sayableObject(value, path);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value !== "number") return refuse(show(value), path);
  return Number.isFinite(value) ? value : refuse(`${value}, which JSON would make null`, path);
}

function sayableObject(value: object, path: Path): unknown {
  const { objects, keys } = path;
  if (objects.includes(value)) return refuse("an object that contains itself", path);
  if (objects.length >= MOST_DEPTH) throw new ValueError("ERR_VALUE_TOO_LARGE", `a json is nested at most ${MOST_DEPTH} deep; got one that goes deeper.`);
  const depth = objects.push(value) - 1;
  let changed: object | undefined;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      keys[depth] = i;
      const said = sayable(value[i], path);
      if (said === value[i]) continue;
      changed ??= [...value];
      (changed as unknown[])[i] = said;
    }
  } else {
    if (!isPlain(value)) return refuse(`an instance of ${show(value)}, which is no plain object`, path);
    for (const key of Object.keys(value)) {
      keys[depth] = key;
      const held = (value as Record<string, unknown>)[key];
      const said = sayable(held, path);
      if (said === held) continue;
      changed ??= Object.fromEntries(Object.entries(value));
      (changed as Record<string, unknown>)[key] = said; // a property of its own already, be it called __proto__
    }
  }
  objects.pop();
  keys.length = depth;
  return changed ?? value;
}

/** Whether it is what {} makes, in any realm, or has no prototype. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || prototype === Object.prototype || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"));
}

function refuse(what: string, { keys }: Path): never {
  const where = keys.length === 0 ? "" : ` at ${keys.map((key) => `[${JSON.stringify(key)}]`).join("")}`;
  throw new ValueError(
    "ERR_VALUE_TYPE",
    `a json is null, a boolean, a finite number, a string, or an array or plain object of these, or has a toJSON that gives one; got ${what}${where}.`,
  );
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const held of Object.values(value)) freezeDeep(held);
  return Object.freeze(value);
}

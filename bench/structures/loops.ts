/**
 * The timed loops. Each thread of the suite runs one peer, so each loop has one map and V8 compiles it for that map, as in a program that uses it; and each
 * kind has loops of its own, as a program has call sites of its own. A sum of what was found is given back, so that nothing can be left out.
 */

import { ThreadTime } from "../thread-time.js";
import type { Data, Thing } from "./data.js";
import type { MapLike } from "./held.js";

/** How the keys come. */
export type How = "numbers" | "held" | "fresh" | "made" | "bytes" | "latin1";

interface Timed {
  readonly ns: number;
  readonly sum: number;
}

interface OfNumbers {
  get(key: number): number;
}
interface OfTexts {
  get(key: string): number;
}
interface OfThings {
  get(key: string): Thing;
}
interface OfBytes {
  getBytes(bytes: Uint8Array, start: number, end: number): number;
}
interface ThingsOfBytes {
  getBytes(bytes: Uint8Array, start: number, end: number): Thing;
}

function numbers(map: OfNumbers, keys: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum += map.get(keys[i] as number);
  return sum;
}

function texts(map: OfTexts, keys: readonly string[]): number {
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum += map.get(keys[i] as string);
  return sum;
}

function things(map: OfThings, keys: readonly string[]): number {
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum += map.get(keys[i] as string).id;
  return sum;
}

/** The string is made from the request's bytes, as `toString("utf8")` does. */
function made(map: OfTexts, bytes: Buffer, starts: Int32Array, draws: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws.length; i++) {
    const index = draws[i] as number;
    sum += map.get(bytes.toString("utf8", starts[index] as number, starts[index + 1] as number));
  }
  return sum;
}

/** As `made`, by who knows that the bytes are ASCII. */
function madeLatin1(map: OfTexts, bytes: Buffer, starts: Int32Array, draws: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws.length; i++) {
    const index = draws[i] as number;
    sum += map.get(bytes.toString("latin1", starts[index] as number, starts[index + 1] as number));
  }
  return sum;
}

function thingsMade(map: OfThings, bytes: Buffer, starts: Int32Array, draws: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws.length; i++) {
    const index = draws[i] as number;
    sum += map.get(bytes.toString("utf8", starts[index] as number, starts[index + 1] as number)).id;
  }
  return sum;
}

function fromBytes(map: OfBytes, bytes: Buffer, starts: Int32Array, draws: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws.length; i++) {
    const index = draws[i] as number;
    sum += map.getBytes(bytes, starts[index] as number, starts[index + 1] as number);
  }
  return sum;
}

function thingsFromBytes(map: ThingsOfBytes, bytes: Buffer, starts: Int32Array, draws: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < draws.length; i++) {
    const index = draws[i] as number;
    sum += map.getBytes(bytes, starts[index] as number, starts[index + 1] as number).id;
  }
  return sum;
}

/** So many lookups by numbers, not timed. */
export function lookUpNumbers(map: MapLike, data: Data, from: number, count: number): number {
  return numbers(map as OfNumbers, data.drawnNumbers.subarray(from, from + count));
}

/**
 * Look so many draws up, timed.
 * @param held the strings of all entries, the same objects that a native Map holds; for `held`
 */
export function lookUp(map: MapLike, data: Data, how: How, from: number, count: number, held: readonly string[]): Timed {
  const { kind, bytes, starts } = data;
  const objects = kind === "json" || kind === "struct";
  if (how === "numbers") {
    const keys = data.drawnNumbers.subarray(from, from + count);
    return timed(count, () => numbers(map as OfNumbers, keys));
  }
  const draws = data.draws.subarray(from, from + count);
  if (how === "held" || how === "fresh") {
    // Made here, outside of what is timed: strings that nobody has hashed, compared or internalised.
    const keys = how === "held" ? Array.from(draws, (index) => held[index] as string) : Array.from(draws, (index) => data.text(index));
    return timed(keys.length, objects ? () => things(map as OfThings, keys) : () => texts(map as OfTexts, keys));
  }
  if (how === "bytes" && map.getBytes !== undefined) {
    return timed(
      draws.length,
      objects ? () => thingsFromBytes(map as ThingsOfBytes, bytes, starts, draws) : () => fromBytes(map as unknown as OfBytes, bytes, starts, draws),
    );
  }
  if (how === "latin1") return timed(draws.length, () => madeLatin1(map as OfTexts, bytes, starts, draws));
  return timed(draws.length, objects ? () => thingsMade(map as OfThings, bytes, starts, draws) : () => made(map as OfTexts, bytes, starts, draws));
}

const time = new ThreadTime();

function timed(calls: number, work: () => number): Timed {
  const start = time.now();
  const sum = work();
  return { ns: ((time.now() - start) * 1e6) / calls, sum };
}

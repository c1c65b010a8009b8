/**
 * Bounds of an interval map: unsigned 32-bit and 128-bit whole numbers, and how they stand in a node.
 *
 * Each kind brings its own search loop, so that the hot one is compiled for one kind only.
 *
 * Law table: LO and HI of a node are immutable once it is published; LEFT and RIGHT are atomic (bonsai.ts).
 */

import { type Address, field } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";
import { show } from "../values/errors.js";
import { KeyError } from "./errors.js";

/** How keys K, given and shown as P (or given as G), stand in words. */
export interface Bounds<K, P, G = P> {
  readonly name: string;
  /** Words of one bound. */
  readonly words: number;
  readonly least: P;
  readonly most: P;
  /**
   * The key of what a user gave.
   * @throws KeyError (ERR_KEY)
   */
  parse(given: P | G): K;
  /** As `parse`, into a scratch key that the next call overwrites. */
  parseScratch(given: P | G): K;
  present(key: K): P;
  read(memory: Memory, address: Address): K;
  write(memory: Memory, address: Address, key: K): void;
  /** Below 0, 0 or above 0 as the stored bound is below, equal to or above the key. */
  compare(memory: Memory, address: Address, key: K): number;
  compareKeys(a: K, b: K): number;
  /** The key after, undefined after the last. */
  after(key: K): K | undefined;
  /** The key before, undefined before the first. */
  before(key: K): K | undefined;
  /** The node whose range covers the key, NULL when there is none. `root` is the address of the root pointer. */
  find(memory: Memory, root: Address, key: K): Address;
}

/** Offsets in a node with bounds of `words` words each. */
export interface NodeOffsets {
  readonly hi: number;
  readonly left: number;
  readonly right: number;
  readonly value: number;
}

/** A node: LO, HI, LEFT, RIGHT, value. */
export function nodeOffsets(words: number): NodeOffsets {
  return { hi: words, left: 2 * words, right: 2 * words + 1, value: 2 * words + 2 };
}

/** Whole numbers from 0 to 2^32 - 1. */
export const u32Bounds: Bounds<number, number> = {
  name: "u32",
  words: 1,
  least: 0,
  most: 0xffffffff,
  parse(given) {
    if (typeof given !== "number" || given >>> 0 !== given)
      throw new KeyError("ERR_KEY", `a u32 key is a whole number from 0 to 4294967295; got ${show(given)}.`);
    return given;
  },
  parseScratch: (given) => u32Bounds.parse(given),
  present: (key) => key,
  read: (memory, address) => memory.read(address) >>> 0,
  write: (memory, address, key) => memory.write(address, key),
  compare: (memory, address, key) => (memory.read(address) >>> 0) - key,
  compareKeys: (a, b) => a - b,
  after: (key) => (key === 0xffffffff ? undefined : key + 1),
  before: (key) => (key === 0 ? undefined : key - 1),
  find(memory, root, key) {
    let node = memory.load(root) as Address;
    while (node !== 0) {
      if (key < memory.read(node) >>> 0) node = memory.load(field(node, 2)) as Address;
      else if (key > memory.read(field(node, 1)) >>> 0) node = memory.load(field(node, 3)) as Address;
      else break;
    }
    return node;
  },
};

/** Four words, most significant first. */
type Key128 = Uint32Array;

const LEFT_128 = 8;
const RIGHT_128 = 9;

const scratch128: Key128 = new Uint32Array(4);

function parse128(given: bigint | Uint32Array, key: Key128): Key128 {
  if (given instanceof Uint32Array) {
    if (given.length !== 4) throw new KeyError("ERR_KEY", `a u128 key in words is a Uint32Array of 4, most significant first; got one of ${given.length}.`);
    key.set(given);
    return key;
  }
  if (typeof given !== "bigint" || given < 0n || given >> 128n !== 0n) {
    throw new KeyError("ERR_KEY", `a u128 key is a bigint from 0n to 2n ** 128n - 1n, or a Uint32Array of 4 words; got ${show(given)}.`);
  }
  for (let i = 3, left = given; i >= 0; i--, left >>= 32n) key[i] = Number(left & 0xffffffffn);
  return key;
}

function compare128(a: Key128, b: Key128): number {
  for (let i = 0; i < 4; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Add `step` (1 or -1); undefined past either end. */
function step128(key: Key128, step: 1 | -1): Key128 | undefined {
  const result = Uint32Array.from(key);
  for (let i = 3; i >= 0; i--) {
    const before = result[i] as number;
    result[i] = before + step;
    // Carry on to the next word only when this one went round.
    if (before !== (step === 1 ? 0xffffffff : 0)) return result;
  }
  return undefined;
}

/** Whole numbers from 0 to 2^128 - 1: bigints, or four words each. */
export const u128Bounds: Bounds<Key128, bigint, Uint32Array> = {
  name: "u128",
  words: 4,
  least: 0n,
  most: 2n ** 128n - 1n,
  parse: (given) => parse128(given, new Uint32Array(4)),
  parseScratch: (given) => parse128(given, scratch128),
  present: (key) => key.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n),
  read: (memory, address) => Uint32Array.from({ length: 4 }, (_, i) => memory.read(field(address, i))),
  write(memory, address, key) {
    for (let i = 0; i < 4; i++) memory.write(field(address, i), key[i] as number);
  },
  compare(memory, address, key) {
    for (let i = 0; i < 4; i++) {
      const difference = (memory.read(field(address, i)) >>> 0) - (key[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  },
  compareKeys: compare128,
  after: (key) => step128(key, 1),
  before: (key) => step128(key, -1),
  find(memory, root, key) {
    const k0 = key[0] as number;
    const k1 = key[1] as number;
    const k2 = key[2] as number;
    const k3 = key[3] as number;
    let node = memory.load(root) as Address;
    while (node !== 0) {
      if (above128(memory, node, k0, k1, k2, k3)) node = memory.load(field(node, LEFT_128)) as Address;
      else if (below128(memory, field(node, 4), k0, k1, k2, k3)) node = memory.load(field(node, RIGHT_128)) as Address;
      else break;
    }
    return node;
  },
};

/** Whether the stored bound is above the key. */
function above128(memory: Memory, address: Address, k0: number, k1: number, k2: number, k3: number): boolean {
  let word = memory.read(address) >>> 0;
  if (word !== k0) return word > k0;
  word = memory.read(field(address, 1)) >>> 0;
  if (word !== k1) return word > k1;
  word = memory.read(field(address, 2)) >>> 0;
  if (word !== k2) return word > k2;
  return memory.read(field(address, 3)) >>> 0 > k3;
}

/** Whether the stored bound is below the key. */
function below128(memory: Memory, address: Address, k0: number, k1: number, k2: number, k3: number): boolean {
  let word = memory.read(address) >>> 0;
  if (word !== k0) return word < k0;
  word = memory.read(field(address, 1)) >>> 0;
  if (word !== k1) return word < k1;
  word = memory.read(field(address, 2)) >>> 0;
  if (word !== k2) return word < k2;
  return memory.read(field(address, 3)) >>> 0 < k3;
}

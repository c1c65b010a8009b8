/**
 * Keys of a map: how one is hashed, compared in place, stored and read.
 *
 * A key is parsed first, into this thread's own scratch; what comes after looks at that and at shared words only, so that a string is gone over once.
 * Keys of one word (u8, u16, u32, i32) stand in the block themselves. All others are bytes: their hash stands in the block, their bytes in the entry.
 *
 * Law table: this file owns no word; keys in blocks are immutable once published.
 *
 * The hash is multiplicative (Knuth), mixed twice, and keyed with the map's seed, so that whoever sends keys does not know their buckets. Of keys of bytes a factor is secret, too: whatever a
 * known factor makes of a difference in one word, the next could undo (a product keeps a flipped highest bit as it is), and many keys would have one hash under every seed.
 */

import { type Address, field } from "../../memory/address.js";
import { type Memory, SharedMemory } from "../../memory/memory.js";
import { bytes } from "../../values/bytes.js";
import type { CodecBase } from "../../values/codec.js";
import { show } from "../../values/errors.js";
import { i32, u8, u16, u32 } from "../../values/scalars.js";
import { utf8 } from "../../values/utf8.js";
import { KeyError } from "../errors.js";

/** Longest key, in bytes. */
export const MOST_KEY_BYTES = 4095;

/** Keys of one type. */
export interface Keys<K> {
  /** Whether a key is its word. */
  readonly isWord: boolean;
  /** What a block says of the parsed key: the key itself, or its hash. */
  head: number;
  /** Bytes of the parsed key, when it is no word; its words are in `words`. */
  bytes: number;
  readonly words: Int32Array;
  /**
   * Parse a key.
   * @returns its hash
   * @throws KeyError (ERR_KEY)
   */
  parse(key: K): number;
  /** As `parse`, of a key's bytes. @throws KeyError (ERR_KEY) where keys have none */
  parseBytes(bytes: Uint8Array, start: number, end: number): number;
  /** The hash of an entry's key, from its head. */
  hashOf(head: number): number;
  /** The key of an entry. */
  read(memory: Memory, head: number, address: Address, bytes: number): K;
}

// Buckets are numbered by the highest bits, which these two steps mix well; a third would only mend the lowest.
export const finish = (value: number): number => {
  const mixed = Math.imul(value, 0x9e3779b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
};

const NO_WORDS = new Int32Array(0);

/** Whole numbers that a word holds. */
export class WordKeys implements Keys<number> {
  readonly isWord = true;
  head = 0;
  readonly bytes = 0;
  readonly words: Int32Array = NO_WORDS;
  readonly #name: string;
  readonly seed: number;
  readonly #least: number;
  readonly most: number;
  readonly #isSigned: boolean;

  constructor(name: string, seed: number, least: number, most: number) {
    this.#name = name;
    this.seed = seed;
    this.#least = least;
    this.most = most;
    this.#isSigned = least < 0;
  }

  parse(key: number): number {
    this.check(key);
    this.head = key | 0;
    return finish(this.head ^ this.seed);
  }

  /** @throws KeyError (ERR_KEY) */
  check(key: unknown): void {
    if (typeof key !== "number") this.#refuse(key); // of a bigint `|` would throw its own
    const word = key | 0;
    if ((this.#isSigned ? word : word >>> 0) !== key || word > this.most) this.#refuse(key);
  }

  #refuse(key: unknown): never {
    throw new KeyError("ERR_KEY", `a key of this map is a whole number from ${this.#least} to ${this.most} (${this.#name}); got ${show(key)}.`);
  }

  parseBytes(): number {
    throw new KeyError("ERR_KEY", `getBytes() is for maps whose keys are utf8 or bytes; this one's are ${this.#name}.`);
  }

  hashOf(head: number): number {
    return finish(head ^ this.seed);
  }

  read(_memory: Memory, head: number): number {
    return this.#isSigned ? head : head >>> 0;
  }
}

/** What all keys of bytes share: their scratch, and how it is hashed. */
abstract class ByteKeys<K> implements Keys<K> {
  readonly isWord = false;
  head = 0;
  bytes = 0;
  readonly words: Int32Array = new Int32Array((MOST_KEY_BYTES + 1) / 4);
  protected readonly seed: number;
  /** Odd, so that nothing is lost. */
  protected readonly factor: number;

  constructor(seed: number) {
    this.seed = seed;
    this.factor = finish(~seed) | 1;
  }

  abstract parse(key: K): number;
  abstract read(memory: Memory, head: number, address: Address, bytes: number): K;

  hashOf(head: number): number {
    return head;
  }

  parseBytes(bytes: Uint8Array, start: number, end: number): number {
    if (!(bytes instanceof Uint8Array) || !(start >= 0 && start <= end && end <= bytes.length) || (start | 0) !== start || (end | 0) !== end)
      throw new KeyError("ERR_KEY", `a key's bytes are a Uint8Array and a range in it; got ${show(bytes)}, ${show(start)} to ${show(end)}.`);
    const length = end - start;
    this.checkLength(length);
    const { words, factor } = this;
    let hash = this.seed;
    let from = start;
    let word = 0;
    for (; from + 4 <= end; from += 4, word++) {
      const packed = (bytes[from] as number) | ((bytes[from + 1] as number) << 8) | ((bytes[from + 2] as number) << 16) | ((bytes[from + 3] as number) << 24);
      words[word] = packed;
      hash = mix(hash, packed, factor);
    }
    if (from < end) {
      let packed = 0;
      for (let shift = 0; from < end; from++, shift += 8) packed |= (bytes[from] as number) << shift;
      words[word] = packed;
      hash = mix(hash, packed, factor);
    }
    return this.parsed(length, hash);
  }

  protected checkLength(bytes: number): void {
    if (bytes > MOST_KEY_BYTES) throw new KeyError("ERR_KEY", `a key takes at most ${MOST_KEY_BYTES} bytes; got one of ${bytes}.`);
  }

  /** The key's words are in `words`, and mixed. */
  protected parsed(length: number, hash: number): number {
    this.bytes = length;
    this.head = finish(hash ^ length);
    return this.head;
  }
}

const mix = (hash: number, word: number, factor: number): number => {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return Math.imul(mixed ^ (mixed >>> 15), factor);
};

function readBytes(memory: Memory, address: Address, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = memory.read(field(address, at >>> 2)) >>> ((at & 3) * 8);
  return bytes;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Strings. */
class TextKeys extends ByteKeys<string> {
  readonly #bytes = new Uint8Array(MOST_KEY_BYTES + 4);

  parse(key: string): number {
    if (typeof key !== "string") throw new KeyError("ERR_KEY", `a key of this map is a string (utf8); got ${show(key)}.`);
    const { length } = key;
    if (length > MOST_KEY_BYTES) this.checkLength(length);
    const { words, factor } = this;
    let hash = this.seed;
    let from = 0;
    let word = 0;
    // Nearly all keys are ASCII: packed and mixed as they are read.
    for (; from + 4 <= length; from += 4, word++) {
      const a = key.charCodeAt(from);
      const b = key.charCodeAt(from + 1);
      const c = key.charCodeAt(from + 2);
      const d = key.charCodeAt(from + 3);
      if ((a | b | c | d) > 0x7f) return this.#parseAny(key);
      const packed = a | (b << 8) | (c << 16) | (d << 24);
      words[word] = packed;
      hash = mix(hash, packed, factor);
    }
    if (from < length) {
      let packed = 0;
      for (let shift = 0; from < length; from++, shift += 8) {
        const code = key.charCodeAt(from);
        if (code > 0x7f) return this.#parseAny(key);
        packed |= code << shift;
      }
      words[word] = packed;
      hash = mix(hash, packed, factor);
    }
    return this.parsed(length, hash);
  }

  #parseAny(key: string): number {
    if (/\p{Surrogate}/u.test(key)) throw new KeyError("ERR_KEY", `a key of this map is well-formed Unicode; got a lone surrogate in ${show(key)}.`);
    const { read, written } = encoder.encodeInto(key, this.#bytes);
    if (read < key.length) this.checkLength(encoder.encode(key).length);
    return this.parseBytes(this.#bytes, 0, written);
  }

  read(memory: Memory, _head: number, address: Address, bytes: number): string {
    return decoder.decode(readBytes(memory, address, bytes));
  }
}

/** Keys of any other codec: what it writes, into a memory of this thread's own. */
class EncodedKeys<K> extends ByteKeys<K> {
  readonly #codec: CodecBase<K>;
  readonly #scratch: Memory = new SharedMemory(new SharedArrayBuffer(MOST_KEY_BYTES + 1));

  constructor(codec: CodecBase<K>, seed: number) {
    super(seed);
    this.#codec = codec;
  }

  parse(key: K): number {
    if (Number.isNaN(key)) throw new KeyError("ERR_KEY", "NaN equals nothing, and is no key.");
    const codec = this.#codec;
    const given = key === 0 ? (0 as K) : key; // -0 is 0, as in a Map
    const prepared = codec.prepare(given);
    const length = codec.bytes(prepared);
    this.checkLength(length);
    const scratch = this.#scratch;
    const count = (length + 3) >>> 2;
    if (count > 0) scratch.write((count - 1) as Address, 0); // the last word may be written in part
    codec.write(scratch, 0 as Address, prepared);
    const { factor } = this;
    let hash = this.seed;
    for (let word = 0; word < count; word++) {
      const packed = scratch.read(word as Address);
      this.words[word] = packed;
      hash = mix(hash, packed, factor);
    }
    return this.parsed(length, hash);
  }

  override parseBytes(): number {
    throw new KeyError("ERR_KEY", `getBytes() is for maps whose keys are utf8 or bytes; this one's are ${this.#codec.name}.`);
  }

  read(memory: Memory, _head: number, address: Address): K {
    return this.#codec.read(memory, address);
  }
}

/** Bytes. */
class BytesKeys extends ByteKeys<Uint8Array> {
  parse(key: Uint8Array): number {
    return this.parseBytes(key, 0, key?.length);
  }

  read(memory: Memory, _head: number, address: Address, bytes: number): Uint8Array {
    return readBytes(memory, address, bytes);
  }
}

/** Limits of the codecs whose keys are words. */
const WORDS: ReadonlyMap<unknown, readonly [least: number, most: number]> = new Map([
  [u8, [0, 0xff]],
  [u16, [0, 0xffff]],
  [u32, [0, 0xffffffff]],
  [i32, [-(2 ** 31), 2 ** 31 - 1]],
] as const);

/** The keys that a codec makes. */
export function keysOf<K>(codec: CodecBase<K>, seed: number): Keys<K> {
  const limits = WORDS.get(codec);
  if (limits !== undefined) return new WordKeys(codec.name, seed, ...limits) as unknown as Keys<K>;
  if ((codec as unknown) === utf8) return new TextKeys(seed) as unknown as Keys<K>;
  if ((codec as unknown) === bytes) return new BytesKeys(seed) as unknown as Keys<K>;
  return new EncodedKeys(codec, seed);
}

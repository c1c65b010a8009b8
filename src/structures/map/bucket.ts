/**
 * Blocks of entries: what a bucket holds. A block is copied to be changed, and published whole.
 *
 *   keys of one word   | COUNT | (USED) | key key key | entry | entry | entry |
 *   other keys         | COUNT | (USED) | hash hash hash | place place place | entry, key | entry, key | entry, key |
 *   entry              | VERSION | (EXPIRES) | value words, or the value's block |
 *
 * What a search compares stands side by side at the start, on the line that the block begins with. One entry of a word's key and value takes 16 bytes.
 *
 * An entry that is written gets a version above those of all entries of its bucket, and above the table's BASE, to which the versions of all that were ever deleted are raised. So
 * one that was replaced, or deleted and set again, has another one, and hash and version together name one state of one entry for ever (but for 2^31 updates of its bucket, or deletions in the map, between two looks).
 *
 * Law table
 *   word    class
 *   USED    atomic; a bit for each entry: it was read since the clock's hand was here (clock.ts)
 *   all others   private until published, immutable then
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { Keys } from "./keys.js";
import { EMPTY } from "./words.js";

const COUNT = 0;
const USED = 1;
/** Entries that USED has bits for. */
const USED_BITS = 32;

/** A place: words from the block to the entry above, bytes of its key below. */
const KEY_BITS = 12;
const KEY_MASK = (1 << KEY_BITS) - 1;

/** What entries of a map have. */
export interface EntryFormat {
  /** Words of a value, or of the address of its block. */
  readonly valueWords: number;
  readonly expires: boolean;
  /** Whether the reading of entries is noted. */
  readonly used: boolean;
}

/** Whether a version comes after another, modulo 2^32. */
export const isLater = (version: number, other: number): boolean => ((version - other) | 0) > 0;

/** The version after one. 0 is that of what is not there. */
export const nextVersion = (version: number): number => (version + 1) >>> 0 || 1;

/** Blocks of one map: how they are searched, and made. */
export class Buckets<K> {
  readonly #memory: Memory;
  readonly #keys: Keys<K>;
  readonly #isWord: boolean;
  readonly #hasUsed: boolean;
  readonly #expires: number;
  /** Words from a block to its heads, from an entry to its value, of an entry without its key. */
  readonly #heads: number;
  readonly #value: number;
  readonly #entryWords: number;
  // The block that is being made: entries of others, and perhaps one that is new.
  readonly #sources: Address[] = [];
  readonly #indexes: number[] = [];
  #kept = 0;
  /** Where the new entry comes; -1 for none. */
  #freshAt = -1;
  #isUsed = false;

  constructor(memory: Memory, keys: Keys<K>, { valueWords, expires, used }: EntryFormat) {
    this.#memory = memory;
    this.#keys = keys;
    this.#isWord = keys.isWord;
    this.#hasUsed = used;
    this.#expires = expires ? 1 : 0;
    this.#heads = used ? USED + 1 : USED;
    this.#value = 1 + this.#expires;
    this.#entryWords = this.#value + valueWords;
  }

  // Reading --------------------------------------------------------------------------------------------

  count(block: Address): number {
    return block === EMPTY ? 0 : this.#memory.read(block);
  }

  /** The latest of a version and those of its entries. */
  latest(block: Address, than: number): number {
    let latest = than;
    for (let i = this.count(block) - 1; i >= 0; i--) {
      const version = this.entryVersion(this.entry(block, i));
      if (isLater(version, latest)) latest = version;
    }
    return latest;
  }

  /** The entry of the parsed key; 0 when there is none. */
  find(block: Address): Address {
    if (block <= EMPTY) return NULL;
    const memory = this.#memory;
    const { head } = this.#keys;
    const count = memory.read(block);
    const heads = block + this.#heads;
    if (this.#isWord) {
      for (let i = 0; i < count; i++) {
        if (memory.read((heads + i) as Address) === head) return (heads + count + i * this.#entryWords) as Address;
      }
      return NULL;
    }
    for (let i = 0; i < count; i++) {
      if (memory.read((heads + i) as Address) !== head) continue;
      const place = memory.read((heads + count + i) as Address);
      const entry = block + (place >>> KEY_BITS);
      if ((place & KEY_MASK) === this.#keys.bytes && this.#sameKey(entry + this.#entryWords)) return entry as Address;
    }
    return NULL;
  }

  #sameKey(at: number): boolean {
    const { words, bytes } = this.#keys;
    const count = (bytes + 3) >>> 2;
    for (let i = 0; i < count; i++) if (this.#memory.read((at + i) as Address) !== words[i]) return false;
    return true;
  }

  /** The number of an entry in its block. */
  indexOf(block: Address, entry: Address): number {
    const count = this.count(block);
    for (let i = 0; i < count; i++) if (this.entry(block, i) === entry) return i;
    throw new Error("an entry is in its block");
  }

  /** An entry by its number. */
  entry(block: Address, index: number): Address {
    const heads = block + this.#heads;
    const count = this.count(block);
    if (this.#isWord) return (heads + count + index * this.#entryWords) as Address;
    return (block + (this.#place(block, index) >>> KEY_BITS)) as Address;
  }

  #place(block: Address, index: number): number {
    return this.#memory.read(field(block, this.#heads + this.count(block) + index));
  }

  head(block: Address, index: number): number {
    return this.#memory.read(field(block, this.#heads + index));
  }

  hash(block: Address, index: number): number {
    return this.#keys.hashOf(this.head(block, index));
  }

  key(block: Address, index: number): K {
    const bytes = this.#isWord ? 0 : this.#place(block, index) & KEY_MASK;
    return this.#keys.read(this.#memory, this.head(block, index), field(this.entry(block, index), this.#entryWords), bytes);
  }

  /** What tells an entry's key from others, as a number or text. */
  id(block: Address, index: number): number | string {
    const head = this.head(block, index);
    if (this.#isWord) return head;
    const place = this.#place(block, index);
    const at = block + (place >>> KEY_BITS) + this.#entryWords;
    let text = `${place & KEY_MASK}`;
    for (let word = 0; word < ((place & KEY_MASK) + 3) >>> 2; word++) text += `,${this.#memory.read((at + word) as Address)}`;
    return text;
  }

  entryVersion(entry: Address): number {
    return this.#memory.read(entry) >>> 0;
  }

  expires(entry: Address): number {
    return this.#memory.read(field(entry, 1)) >>> 0;
  }

  /** Where the value stands, or the address of its block. */
  valueOf(entry: Address): Address {
    return (entry + this.#value) as Address;
  }

  // Use ------------------------------------------------------------------------------------------------

  /** Note that an entry was read. */
  use(block: Address, index: number): void {
    if (index >= USED_BITS) return;
    const used = field(block, USED);
    if (((this.#memory.load(used) >>> index) & 1) === 0) this.#memory.or(used, 1 << index);
  }

  isUsed(block: Address, index: number): boolean {
    return index < USED_BITS && ((this.#memory.load(field(block, USED)) >>> index) & 1) === 1;
  }

  /** From here on no entry of the block was read. */
  clearUsed(block: Address): void {
    this.#memory.and(field(block, USED), 0);
  }

  // Making ---------------------------------------------------------------------------------------------

  /** Begin a block. */
  begin(): void {
    this.#kept = 0;
    this.#freshAt = -1;
  }

  /** It takes over an entry. */
  keep(block: Address, index: number): void {
    this.#sources[this.#kept] = block;
    this.#indexes[this.#kept++] = index;
  }

  /** It takes over all entries of a block but one, if any. */
  keepAll(block: Address, but = -1): void {
    const count = this.count(block);
    for (let i = 0; i < count; i++) if (i !== but) this.keep(block, i);
  }

  /** It gets an entry of the parsed key, whose value is still to be written; at the end. `isUsed`: as if it had been read. */
  add(isUsed: boolean): void {
    this.#freshAt = this.#kept;
    this.#isUsed = isUsed;
  }

  get entries(): number {
    return this.#kept + (this.#freshAt < 0 ? 0 : 1);
  }

  #keyWords(i: number): number {
    return ((this.#place(this.#sources[i] as Address, this.#indexes[i] as number) & KEY_MASK) + 3) >>> 2;
  }

  /** Words of the block. */
  words(): number {
    let words = this.#heads + this.entries * (1 + this.#entryWords);
    if (this.#isWord) return words;
    words += this.entries;
    for (let i = 0; i < this.#kept; i++) words += this.#keyWords(i);
    if (this.#freshAt >= 0) words += (this.#keys.bytes + 3) >>> 2;
    return words;
  }

  /**
   * Write the block into private memory.
   * @param version of its new entry
   * @returns its new entry, whose value is the caller's to write; 0 when it has none
   */
  write(block: Address, version = 0, expires = 0): Address {
    const memory = this.#memory;
    const count = this.entries;
    const heads = block + this.#heads;
    memory.write(field(block, COUNT), count);
    let used = 0;
    let at = heads + count + (this.#isWord ? 0 : count);
    for (let i = 0; i < this.#kept; i++) {
      const source = this.#sources[i] as Address;
      const index = this.#indexes[i] as number;
      memory.write((heads + i) as Address, this.head(source, index));
      let words = this.#entryWords;
      if (!this.#isWord) {
        memory.write((heads + count + i) as Address, ((at - block) << KEY_BITS) | (this.#place(source, index) & KEY_MASK));
        words += this.#keyWords(i);
      }
      const entry = this.entry(source, index);
      for (let word = 0; word < words; word++) memory.write((at + word) as Address, memory.read((entry + word) as Address));
      at += words;
      if (this.#hasUsed && i < USED_BITS && this.isUsed(source, index)) used |= 1 << i;
    }
    if (this.#freshAt >= 0) {
      const { head, words, bytes } = this.#keys;
      memory.write((heads + this.#kept) as Address, head);
      memory.write(at as Address, version);
      if (this.#expires === 1) memory.write((at + 1) as Address, expires);
      if (!this.#isWord) {
        memory.write((heads + count + this.#kept) as Address, ((at - block) << KEY_BITS) | bytes);
        const keyAt = at + this.#entryWords;
        for (let word = 0; word < (bytes + 3) >>> 2; word++) memory.write((keyAt + word) as Address, words[word] as number);
      }
      if (this.#isUsed && this.#kept < USED_BITS) used |= 1 << this.#kept;
    }
    if (this.#hasUsed) memory.store(field(block, USED), used);
    return this.#freshAt < 0 ? NULL : (at as Address);
  }
}

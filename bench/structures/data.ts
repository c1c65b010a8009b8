/**
 * The entries that every peer holds, and the order in which they are looked up: what a seed determines, the same for all.
 *
 *   u32    random keys below 2^31 (the native Map's best case: V8 boxes larger ones) -> index + 1
 *   utf8   texts of 8 to 32 ASCII characters                                         -> index + 1
 *   json   the same texts -> a Thing
 *   struct the same texts -> a Thing of numbers alone
 */

import { Random } from "../../check/support/seed.js";

/** What a map holds. */
export const KINDS = ["u32", "utf8", "json", "struct"] as const;
export type Kind = (typeof KINDS)[number];

/** An object as programs keep them: some fields, one of them text. */
export interface Thing {
  readonly id: number;
  readonly hits: number;
  readonly name?: string;
}

export type Key = number | string;
export type Value = number | Thing;

/** Lookups drawn in advance: enough of them that what the caches of a processor hold is not what decides. */
const DRAWS = 2 ** 20;
/** And for maps so small that only a test has them. */
const FEW_DRAWS = 2 ** 12;
const SMALL = 1000;

/** How many lookups are drawn for a map of this size. */
export const drawsFor = (size: number): number => (size < SMALL ? FEW_DRAWS : DRAWS);
/** Bytes of the longest key. */
export const MOST_BYTES = 32;
const LEAST_BYTES = 8;
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz/-._";

/** The keys and draws of a kind and size. */
export class Data {
  readonly kind: Kind;
  readonly size: number;
  /** Index of the key looked up, for each draw. */
  readonly draws: Int32Array;
  /** Numbers, for u32. */
  readonly numbers: Int32Array;
  /** The number looked up, for each draw. */
  readonly drawnNumbers: Int32Array;
  /** UTF-8 of all texts, one after the other, as a request's bytes are: not shared. */
  readonly bytes: Buffer;
  /** Where each text begins; one more for the end of the last. */
  readonly starts: Int32Array;

  constructor(kind: Kind, size: number, seed: number) {
    const random = new Random(seed, size);
    this.kind = kind;
    this.size = size;
    this.draws = Int32Array.from({ length: drawsFor(size) }, () => random.below(size));
    this.numbers = kind === "u32" ? distinctNumbers(size, random) : new Int32Array();
    this.drawnNumbers = this.draws.map((index) => this.numbers[index] ?? 0);
    this.starts = new Int32Array(kind === "u32" ? 0 : size + 1);
    this.bytes = Buffer.alloc(kind === "u32" ? 0 : size * MOST_BYTES);
    if (kind !== "u32") this.#writeTexts(random);
  }

  /** Each begins with random letters and ends with its index, so that all differ. */
  #writeTexts(random: Random): void {
    let at = 0;
    for (let i = 0; i < this.size; i++) {
      this.starts[i] = at;
      const tail = i.toString(36);
      const letters = random.from(LEAST_BYTES, MOST_BYTES) - tail.length - 1;
      for (let n = 0; n < letters; n++) this.bytes[at++] = LETTERS.charCodeAt(random.below(LETTERS.length));
      at += this.bytes.write(`:${tail}`, at, "latin1");
    }
    this.starts[this.size] = at;
  }

  /** A new string of the text: V8 has neither hashed nor internalised it. */
  text(index: number): string {
    return this.bytes.toString("latin1", this.starts[index] as number, this.starts[index + 1] as number);
  }

  key(index: number): Key {
    return this.kind === "u32" ? (this.numbers[index] as number) : this.text(index);
  }

  value(index: number): Value {
    if (this.kind === "json") return { id: index + 1, hits: 0, name: `thing ${index}` };
    if (this.kind === "struct") return { id: index + 1, hits: 0 };
    return index + 1;
  }

  /** All entries; strings are made for the caller alone. */
  *entries(): Generator<[Key, Value]> {
    for (let i = 0; i < this.size; i++) yield [this.key(i), this.value(i)];
  }

  /** What `value(index)` counts in a loop's sum. */
  static counts(value: Value | undefined): number {
    return typeof value === "object" ? value.id : (value ?? 0);
  }
}

function distinctNumbers(size: number, random: Random): Int32Array {
  const found = new Set<number>();
  while (found.size < size) found.add(random.bits() >>> 1);
  return Int32Array.from(found);
}

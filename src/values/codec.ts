/**
 * Codecs: how a JavaScript value stands in shared words.
 *
 * A fixed codec's values take the same number of words each and live inside the entry; a variable one's
 * live in a block of their own. Codecs touch private or immutable words only, so all access is plain.
 */

import type { Address } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";

interface CodecBase<T> {
  /** Tells this codec from others: two threads agree on a schema when their texts are equal. */
  readonly name: string;
  /**
   * Refuse what cannot be held.
   * @throws ValueError
   */
  check(value: T): void;
  /** Write a checked value. */
  write(memory: Memory, address: Address, value: T): void;
  /** A copy of the value. */
  read(memory: Memory, address: Address): T;
  /** Whether the stored value equals this one, without decoding it. */
  equals(memory: Memory, address: Address, value: T): boolean;
  /** A checked value that its giver cannot change any more. */
  copy(value: T): T;
  /** Whether two checked values are stored alike. */
  same(a: T, b: T): boolean;
}

/** Values of one size. */
export interface FixedCodec<T, V = T> extends CodecBase<T> {
  readonly words: number;
  /** A reusable window on a stored value; for a number, it is the number. */
  view(): View<V>;
}

/** Values of any size. */
export interface VariableCodec<T> extends CodecBase<T> {
  readonly words: undefined;
  /** Bytes that a checked value takes. */
  bytes(value: T): number;
}

/** Any codec: T is what is stored, V what a zero-copy view shows. */
export type Codec<T, V = T> = FixedCodec<T, V> | VariableCodec<T>;

/** A window that can be moved over stored values. */
export interface View<V> {
  /** Show the value at an address. */
  at(memory: Memory, address: Address): V;
  /** What `at` gave last may no longer be used. */
  end(): void;
}

/** The view of values that are copied anyway. */
export function copyingView<T>(codec: CodecBase<T>): View<T> {
  return { at: (memory, address) => codec.read(memory, address), end: () => {} };
}

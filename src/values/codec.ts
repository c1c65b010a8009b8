/**
 * Codecs: how a JavaScript value stands in shared words.
 *
 *              prepare                write                     read
 *   a value  ----------> a prepared --------> words, immutable --------> a value --freeze--> one for all who ask
 *             refusals,   value        |                        |
 *             user code                '--- equals, same -------' compare without decoding
 *
 * `prepare` does all that may be refused, all that a user's own functions do, and all encoding, once: a structure calls it before it takes a
 * lock or memory, so whatever it throws has changed nothing. What it gives can be measured, written and compared as often as needed, and its
 * giver cannot change it any more: of a fixed codec it is the value itself (or a copy), of a variable one its bytes.
 *
 * A fixed codec's values take the same number of words each and live inside the entry; a variable one's live in a block of their own
 * (block.ts). Codecs touch private or immutable words only, so all access is plain. They use no `this`, and can be spread.
 */

import type { Address } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";

/** What all codecs have: T is what is stored, P what `prepare` makes of it. Structures hold a codec as CodecBase<T>, and prepared values as they come. */
export interface CodecBase<T, P = unknown> {
  /** Tells this codec from others: two threads agree on a schema when their texts are equal. */
  readonly name: string;
  /** Words that every value takes; undefined when they differ. */
  readonly words: number | undefined;
  /**
   * Refuse what cannot be held, and take the rest.
   * @throws ValueError, and whatever the functions of a user's own codec throw
   */
  prepare(value: T): P;
  /** Bytes that a prepared value takes. */
  bytes(prepared: P): number;
  /** Write a prepared value: as many bytes as `bytes` says, from the first of a word. */
  write(memory: Memory, address: Address, prepared: P): void;
  /** A copy of the stored value, which its receiver may change. */
  read(memory: Memory, address: Address): T;
  /** The stored value, prepared to be stored elsewhere; nothing is decoded. */
  stored(memory: Memory, address: Address): P;
  /** Whether the stored value equals a prepared one, without decoding it. */
  equals(memory: Memory, address: Address, prepared: P): boolean;
  /** Whether two prepared values are stored alike. */
  same(a: P, b: P): boolean;
  /** A copy, in this thread's own memory, of a value that the codec holds; its receiver may change it, and what is inside it. */
  copy(value: T): T;
  /**
   * Make a value that nobody can change, of one that `read` gave: one decoded value may then be given to all who ask. It freezes the given
   * value in place; numbers, text and booleans are so already. Only where `canFreeze`.
   */
  freeze(value: T): T;
  /** False where nothing can keep a value from being changed (bytes): then each who asks gets a copy, and no decoded value is kept. */
  readonly canFreeze: boolean;
}

/** Values of one size; a prepared one is a value. V is what a view shows. */
export interface FixedCodec<T, V = T> extends CodecBase<T, T> {
  readonly words: number;
  /**
   * Refuse what cannot be held.
   * @throws ValueError
   */
  check(value: T): void;
  /** A reusable window on a stored value; for a number, it is the number. */
  view(): View<V>;
}

/** Values of any size; a prepared one is its bytes. */
export interface VariableCodec<T> extends CodecBase<T, Uint8Array> {
  readonly words: undefined;
}

/** Any codec: T is what is stored, V what a zero-copy view shows. */
export type Codec<T, V = T> = FixedCodec<T, V> | VariableCodec<T>;

/** A window that can be moved over stored values. */
export interface View<V> {
  /** Show the value at an address. What a nested struct showed before moves with it. */
  at(memory: Memory, address: Address): V;
  /** What `at` gave last may no longer be used. */
  end(): void;
}

/** The view of values that are copied anyway. */
export function copyingView<T>(codec: Pick<CodecBase<T>, "read">): View<T> {
  return { at: (memory, address) => codec.read(memory, address), end: () => {} };
}

/** A view of a codec's values: in place, or of copies where they are of any size. */
export function viewOf<T, V>(codec: Codec<T, V>): View<V> {
  return codec.words === undefined ? (copyingView(codec) as View<unknown> as View<V>) : codec.view();
}

/** Whether something given as a codec is one. */
export function isCodec(given: unknown): given is CodecBase<unknown> {
  const codec = given as Partial<CodecBase<unknown>> | null | undefined;
  return typeof codec?.name === "string" && typeof codec.prepare === "function" && typeof codec.read === "function";
}

/**
 * Entries of an interval map seen in place, without copying.
 *
 * Law table: this file owns no word; it reads the immutable words of a node that a section keeps whole.
 */

import { type Address, field, NULL } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";
import type { View } from "../values/codec.js";
import type { NodeOffsets } from "./bounds.js";
import { KeyError } from "./errors.js";
import type { AnyBounds } from "./schema.js";

/** An entry seen in place; only inside the callback it was given to. */
export interface EntryView<P, V> {
  readonly lo: P;
  readonly hi: P;
  readonly value: V;
  /** Copy a bound of a u128 map as four words, most significant first, without making a bigint. */
  copyLo(target: Uint32Array): void;
  copyHi(target: Uint32Array): void;
}

/** The entry view of one nesting depth of one map. */
export class Entry<V> {
  #node: Address = NULL;
  readonly #memory: Memory;
  readonly #bounds: AnyBounds;
  readonly #offsets: NodeOffsets;
  readonly #isBlock: boolean;
  readonly #value: View<V>;

  constructor(memory: Memory, bounds: AnyBounds, offsets: NodeOffsets, isBlock: boolean, value: View<V>) {
    this.#memory = memory;
    this.#bounds = bounds;
    this.#offsets = offsets;
    this.#isBlock = isBlock;
    this.#value = value;
  }

  /** Show a node, until `end`. */
  show(node: Address): void {
    this.#node = node;
  }

  #live(): Address {
    if (this.#node === NULL) throw new KeyError("ERR_VIEW_ENDED", "this view was used after its callback had ended; copy what you need inside it.");
    return this.#node;
  }

  get lo(): number | bigint {
    return this.#bounds.present(this.#bounds.read(this.#memory, this.#live()));
  }

  get hi(): number | bigint {
    return this.#bounds.present(this.#bounds.read(this.#memory, field(this.#live(), this.#offsets.hi)));
  }

  get value(): V {
    const value = field(this.#live(), this.#offsets.value);
    return this.#value.at(this.#memory, this.#isBlock ? (this.#memory.read(value) as Address) : value);
  }

  copyLo(target: Uint32Array): void {
    this.#copy(this.#live(), target);
  }

  copyHi(target: Uint32Array): void {
    this.#copy(field(this.#live(), this.#offsets.hi), target);
  }

  #copy(bound: Address, target: Uint32Array): void {
    for (let i = 0; i < this.#bounds.words; i++) target[i] = this.#memory.read(field(bound, i));
  }

  end(): void {
    this.#node = NULL;
    this.#value.end();
  }
}

/**
 * What a block holds while somebody owns it: words that only its number determines, over all of its usable bytes, so that any other owner of a part
 * of it, or an allocator that writes into it, is found.
 *
 *   word 0   the block's number, never used twice      word i   mix(number, i)      of large blocks the first, the last, and four a page
 *
 * Law table: the words are locked: private to the block's owner, whom the allocator or an atomic exchange of its address made so.
 */

import { type Address, field, WORD_BYTES } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { isVirtual, type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import type { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";

/** Words at each end that are always written. */
const ENDS = 16;
/** Of those between, one in so many. */
const STRIDE = 256;

const mix = (number: number, index: number): number => Math.imul(number ^ Math.imul(index, 0x9e3779b1), 0x85ebca6b) | 0;

function* positions(words: number): Generator<number> {
  for (let i = 1; i < Math.min(words, ENDS); i++) yield i;
  for (let i = STRIDE; i < words - ENDS; i += STRIDE) yield i;
  for (let i = Math.max(ENDS, words - ENDS); i < words; i++) yield i;
}

/** Reads and writes the contents of blocks, and of areas of the virtual space. */
export class Contents {
  readonly #memory: Memory;
  readonly #vm: Vmalloc;

  constructor(memory: Memory, vm: Vmalloc) {
    this.#memory = memory;
    this.#vm = vm;
  }

  read(block: Address | VirtualAddress, index: number): number {
    return isVirtual(block) ? this.#vm.read(virtualField(block, index)) : this.#memory.read(field(block, index));
  }

  #write(block: Address | VirtualAddress, index: number, value: number): void {
    if (isVirtual(block)) this.#vm.write(virtualField(block, index), value);
    else this.#memory.write(field(block, index), value);
  }

  /** Make the block, of so many usable bytes, the one of this number. */
  write(block: Address | VirtualAddress, bytes: number, number: number): void {
    this.#write(block, 0, number);
    for (const i of positions(bytes / WORD_BYTES)) this.#write(block, i, mix(number, i));
  }

  /** What is wrong with the block's words; undefined when they are as written. */
  wrong(block: Address | VirtualAddress, bytes: number, number: number = this.read(block, 0)): string | undefined {
    const is = this.read(block, 0);
    if (is !== number) return `word 0 of the block ${block} of ${bytes} bytes is ${is}, was written ${number}`;
    for (const i of positions(bytes / WORD_BYTES)) {
      const word = this.read(block, i);
      if (word !== mix(number, i)) return `word ${i} of the block ${block} of ${bytes} bytes, number ${number}, is ${word}, was written ${mix(number, i)}`;
    }
    return undefined;
  }
}

/**
 * An accessor for one area, or one block of kvmalloc: words and bytes by their offset, wherever their pages are.
 *
 * Law table: this file owns no word; those of the area are its users'.
 */

import { type Address, PAGE_BYTES, WORD_BYTES } from "../address.js";
import { InvalidSizeError, PageFaultError } from "../errors.js";
import type { VirtualAddress } from "./virtual.js";
import type { Vmalloc } from "./vmalloc.js";

/** What lies from an address on. Every method throws PageFaultError once the area was freed, and behind its end. */
export class AreaView {
  readonly address: Address | VirtualAddress;
  /** Bytes that can be used: whole pages, or the whole block. */
  readonly bytes: number;
  readonly #vm: Vmalloc;

  constructor(vm: Vmalloc, address: Address | VirtualAddress, bytes: number) {
    this.#vm = vm;
    this.address = address;
    this.bytes = bytes;
  }

  /** The word at an offset in bytes, a multiple of 4. @throws as `Vmalloc.read` */
  read(offset: number): number {
    return this.#vm.read(this.#word(offset));
  }

  /** @throws as `read` */
  write(offset: number, value: number): void {
    this.#vm.write(this.#word(offset), value);
  }

  /** Copy `target.length` bytes from any offset. @throws as `Vmalloc.readBytes` */
  readBytes(offset: number, target: Uint8Array): void {
    this.#check(offset, target.length);
    this.#vm.readBytes(this.address, target, offset);
  }

  /** Copy bytes to any offset. @throws as `Vmalloc.writeBytes` */
  writeBytes(offset: number, source: Uint8Array): void {
    this.#check(offset, source.length);
    this.#vm.writeBytes(this.address, source, offset);
  }

  /**
   * Where the word at an offset is now, to be used in place, and the bytes from there to the end of its page. Not for swappable areas.
   * @throws as `Vmalloc.translate`
   */
  pageAt(offset: number): { readonly address: Address; readonly bytes: number } {
    const word = this.#word(offset);
    return { address: this.#vm.translate(word), bytes: Math.min(this.bytes - offset, PAGE_BYTES - ((word * WORD_BYTES) % PAGE_BYTES)) };
  }

  #word(offset: number): Address | VirtualAddress {
    this.#check(offset, WORD_BYTES);
    if (offset % WORD_BYTES !== 0) throw new InvalidSizeError("the offset of a word", offset, "a multiple of 4");
    return (this.address + offset / WORD_BYTES) as Address | VirtualAddress;
  }

  #check(offset: number, bytes: number): void {
    if (!Number.isInteger(offset) || offset < 0) throw new InvalidSizeError("the offset", offset, "a whole number of bytes, not negative");
    if (offset + bytes <= this.bytes) return;
    const past = this.address + Math.floor(Math.max(offset, this.bytes) / WORD_BYTES);
    throw new PageFaultError(past, `behind the ${this.bytes} bytes at ${this.address}`);
  }
}

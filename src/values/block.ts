/**
 * How the bytes of a variable codec stand in a block: a word with their number, then they, from its next word on.
 *
 *   | LENGTH | b0 b1 b2 b3 | b4 b5 .. .. |        what is behind the last byte is nobody's: it is neither written nor looked at
 *
 * Law table
 *   LENGTH, bytes   private until the block is published, then immutable
 */

import { type Address, field, WORD_BYTES } from "../memory/address.js";
import { MAX_KMALLOC_BYTES } from "../memory/heap.js";
import type { Memory } from "../memory/memory.js";
import type { VariableCodec } from "./codec.js";
import { ValueError } from "./errors.js";

/** Most bytes that a value may have: a block holds them and their length. */
export const MOST_BYTES: number = MAX_KMALLOC_BYTES - WORD_BYTES;

/** The first byte of a word, in memory, is its lowest: on all machines that people have, but the language does not promise it. */
const LOW_FIRST = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Bytes of the block of so many bytes. */
export function blockBytes(length: number): number {
  return WORD_BYTES + length;
}

/** Bytes of the block that stands there. */
export function bytesOf(memory: Memory, block: Address): number {
  return blockBytes(memory.read(block));
}

/** Write bytes into a block. */
export function writeBlock(memory: Memory, block: Address, bytes: Uint8Array): void {
  memory.write(block, bytes.length);
  memory.writeBytes(field(block, 1), bytes);
}

/** A copy of a block's bytes. Never a window on them: browsers' TextDecoder refuses shared memory. */
export function readBlock(memory: Memory, block: Address): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(memory.read(block));
  memory.readBytes(field(block, 1), bytes);
  return bytes;
}

/** Whether a block has these bytes, those of `bytes` from `start` to `end`; compared in place, word by word. */
export function blockEquals(memory: Memory, block: Address, bytes: Uint8Array, start = 0, end: number = bytes.length): boolean {
  const length = end - start;
  if (memory.read(block) !== length) return false;
  const whole = length >>> 2;
  let at = start;
  for (let word = 1; word <= whole; word++, at += WORD_BYTES) if (memory.read(field(block, word)) !== wordOf(bytes, at)) return false;
  const left = length & 3;
  if (left === 0) return true;
  const difference = memory.read(field(block, whole + 1)) ^ wordOf(bytes, at);
  return (LOW_FIRST ? difference << (32 - 8 * left) : difference >>> (32 - 8 * left)) === 0;
}

/** Four bytes as a word has them; what is beyond the last is 0. */
function wordOf(bytes: Uint8Array, at: number): number {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  return LOW_FIRST ? a | (b << 8) | (c << 16) | (d << 24) : (a << 24) | (b << 16) | (c << 8) | d;
}

/** Whether two arrays hold the same bytes. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Refuse bytes that no block can hold. */
export function checkLength(what: string, length: number): void {
  if (length > MOST_BYTES) throw new ValueError("ERR_VALUE_TOO_LARGE", `a ${what} takes at most ${MOST_BYTES} bytes; got one of ${length}.`);
}

/** What tells a variable codec from others. */
export interface BlockCodec<T> extends Pick<VariableCodec<T>, "name" | "copy" | "freeze" | "canFreeze"> {
  /** The bytes of a value, in an array that nobody else has; any number of them. */
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array<ArrayBuffer>): T;
}

/** A variable codec. Two of its values are equal when their bytes are. */
export function blockCodec<T>({ encode, decode, ...codec }: BlockCodec<T>): VariableCodec<T> {
  return {
    ...codec,
    words: undefined,
    prepare(value) {
      const bytes = encode(value);
      checkLength(codec.name, bytes.length);
      return bytes;
    },
    bytes: ({ length }) => blockBytes(length),
    write: writeBlock,
    read: (memory, address) => decode(readBlock(memory, address)),
    stored: readBlock,
    equals: (memory, address, bytes) => blockEquals(memory, address, bytes),
    same: sameBytes,
  };
}

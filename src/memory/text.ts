/**
 * Short texts in atomic words, for reports about other threads: who reads one while it changes may get a mixture, never a race.
 *
 * Law table
 *   every word   atomic; written by its owner only
 */

import { type Address, field } from "./address.js";
import type { Memory } from "./memory.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Write a text, cut to what fits into so many words; the rest is zero. */
export function storeText(memory: Memory, address: Address, words: number, text: string): void {
  const bytes = new Uint8Array(words * 4);
  encoder.encodeInto(text, bytes); // whole characters only
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < words; word++) memory.store(field(address, word), view.getInt32(word * 4, true));
}

/** The text that was written. */
export function loadText(memory: Memory, address: Address, words: number): string {
  const bytes = new Uint8Array(words * 4);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < words; word++) view.setInt32(word * 4, memory.load(field(address, word)), true);
  const end = bytes.indexOf(0);
  return decoder.decode(bytes.subarray(0, end < 0 ? bytes.length : end));
}

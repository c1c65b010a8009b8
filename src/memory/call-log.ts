/**
 * The call log: texts of call sites and thread names that every thread can read, each kept once (as the kernel's stack depot, lib/stackdepot.c).
 *
 *   log   | END | words, text | words, text | ...        END is where the next text goes
 *
 * Nothing is ever taken out. A thread keeps all it has seen in a map of its own, and reads on from there when it meets a text it does not know; so no
 * index is shared. When the log is full, further places are not known.
 *
 * Law table
 *   word      class
 *   END       atomic; stored with the arena lock
 *   a text    immutable once END is beyond it
 *
 * Where the thread may die: before END is stored, which commits, the text is not there.
 */

import { type Address, field, wordsFor } from "./address.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";

/** Bytes of a text that are kept. */
const MOST_BYTES = 1532;

/** One thread's view of the log. */
export class CallLog {
  readonly #memory: Memory;
  readonly #end: Address;
  readonly #limit: number;
  readonly #known = new Map<string, Address>();
  #seen: number;

  constructor(memory: Memory, { callLog, callLogWords }: Layout) {
    this.#memory = memory;
    this.#end = callLog;
    this.#limit = callLog + callLogWords;
    this.#seen = callLog + 1;
  }

  #textEnd(): number {
    return this.#memory.load(this.#end) || this.#end + 1;
  }

  #readOn(): void {
    for (const end = this.#textEnd(); this.#seen < end; ) {
      const at = this.#seen as Address;
      this.#seen += 1 + this.#memory.read(at);
      const text = this.textOf(at);
      if (text !== undefined) this.#known.set(text, at);
    }
  }

  /** Address of a text, undefined when nobody has written it yet. */
  find(text: string): Address | undefined {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#readOn();
    return this.#known.get(text);
  }

  /** As `find`, and write it. With the arena lock. Undefined when the log is full. */
  keep(text: string): Address | undefined {
    const known = this.find(text);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(MOST_BYTES);
    const { written } = new TextEncoder().encodeInto(text, bytes); // whole characters only
    const words = wordsFor(written);
    const at = this.#textEnd() as Address;
    if (at + 1 + words > this.#limit) return undefined;
    this.#memory.write(at, words);
    this.#memory.writeBytes(field(at, 1), bytes.subarray(0, words * 4));
    this.#memory.store(this.#end, at + 1 + words); // commit
    this.#known.set(text, at); // a text that was cut stands in the log by what is left of it
    return at;
  }

  /** A text by its address; undefined for what is none. */
  textOf(at: number): string | undefined {
    if (!(at > this.#end && at < this.#textEnd())) return undefined;
    const words = this.#memory.read(at as Address);
    if (!(words >= 0 && words * 4 <= MOST_BYTES && at + 1 + words <= this.#limit)) return undefined;
    const bytes = new Uint8Array(words * 4);
    this.#memory.readBytes(field(at as Address, 1), bytes);
    const zero = bytes.indexOf(0);
    return new TextDecoder().decode(zero < 0 ? bytes : bytes.subarray(0, zero));
  }
}

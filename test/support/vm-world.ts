/** A world with views of its virtual space, and whether it came back to how it was. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { Header } from "../../src/memory/layout.js";
import { Vmalloc, type VmallocView } from "../../src/memory/vmalloc/vmalloc.js";
import { audit, type Usage } from "./audit.js";
import { World } from "./world.js";

/** One attached thread. */
export interface Attached {
  readonly arena: Arena;
  readonly vm: Vmalloc;
}

export class VmWorld extends World {
  #before: { readonly usage: Usage; readonly header: readonly number[] } | undefined;

  attach(thread: number, view: VmallocView = {}, memory = this.memory as Arena["memory"]): Attached {
    const arena = this.arena(thread, memory);
    return { arena, vm: new Vmalloc(arena.heap, view) };
  }

  /** The header, without what only grows and what is compared as a set. */
  #header(): number[] {
    const words = Array.from({ length: 128 }, (_, word) => this.memory.read(field(0 as Address, word)));
    for (const word of [Header.VM_GENERATION, Header.LEAST_FREE_PAGES, Header.SLOTS_USED, Header.NEXT_THREAD]) words[word] = 0;
    return words.map((value, word) => (word >= Header.FREE_LISTS && word < Header.FREE_PAGES ? 0 : value));
  }

  /** Remember how it is while nobody is attached. */
  remember(): void {
    this.#before = { usage: audit(this), header: this.#header() };
  }

  /** While nobody is attached: it is as it was, free lists compared as sets. */
  isAsBefore(when = ""): void {
    assert.deepEqual({ usage: audit(this, when), header: this.#header() }, this.#before, when);
  }
}

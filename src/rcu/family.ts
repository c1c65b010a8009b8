/**
 * All of one thread's domains in an arena: what concerns a domain because of what the thread does in another.
 *
 * Law table: this file owns no word.
 */

import type { Heap } from "../memory/heap.js";
import { Departed } from "./departed.js";
import type { FlavorName, Reader } from "./flavors/flavor.js";

/** What one domain shows to the others. */
export interface Member {
  readonly index: number;
  readonly flavor: FlavorName;
  readonly reader: Reader;
}

export class Family<M extends Member> {
  readonly members: M[] = [];
  readonly departed: Departed;
  /** Called, in long waits, with the numbers of threads that are waited for: they may be dead. */
  onSuspects: ((threads: readonly number[]) => void) | undefined;

  constructor(heap: Heap) {
    this.departed = new Departed(heap);
  }

  /** Whether a section is open that ends with its turn: until then this thread must wait for nothing, in whatever domain (the kernel's rule for RCU beside SRCU). */
  get inTurnSection(): boolean {
    return this.members.some(({ flavor, reader }) => flavor !== "phase" && reader.nesting > 0);
  }

  /** This thread is about to block: in none of its domains may a grace period wait for the end of a turn that itself waits. */
  goOffline(): void {
    for (const { reader } of this.members) reader.goOffline();
  }
}

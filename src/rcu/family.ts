/**
 * All of one thread's domains in an arena: what concerns a domain because of what the thread does in another.
 *
 * Law table: this file owns no word.
 */

import type { Heap } from "../memory/heap.js";
import { Departed } from "./departed.js";
import type { Reader } from "./flavors/flavor.js";

/** What one domain shows to the others. */
export interface Member {
  readonly index: number;
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

  /** Whether the code that runs now is in a section, of whatever domain, that ends with its turn: it must wait for nothing. */
  get inSynchronousSection(): boolean {
    return this.members.some(({ reader }) => reader.inSynchronousSection);
  }

  /** This thread is about to block: in none of its domains may a grace period wait for the end of a turn that itself waits. */
  goOffline(): void {
    for (const { reader } of this.members) reader.goOffline();
  }
}

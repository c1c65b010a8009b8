/**
 * Where one thread stands in one domain: the words that a flavor works on, and the count of what is over.
 *
 * Law table: this file owns no word; see layout.ts.
 */

import { type Address, field } from "../../memory/address.js";
import type { Layout } from "../../memory/layout.js";
import type { Memory } from "../../memory/memory.js";
import { kindOf, SlotKind, slotAddress, slotsUsed } from "../../memory/slot.js";
import { EventCount } from "../event-count.js";
import { DomainWord, domainRoot, readerWord } from "../layout.js";
import { tracepoints } from "../tracepoints.js";

/** What a reader tells of itself, beside what its grace periods need. */
export interface ReaderEvents {
  /** A turn ended inside a section. */
  sectionLeftOpen(): void;
}

export class Site {
  readonly memory: Memory;
  readonly layout: Layout;
  /** Index of the domain, and of this thread's slot. */
  readonly domain: number;
  readonly slot: number;
  /** GP_SEQ. */
  readonly sequence: Address;
  /** Who waits until some slot changes. */
  readonly events: EventCount;

  constructor(memory: Memory, layout: Layout, domain: number, slot: number) {
    this.memory = memory;
    this.layout = layout;
    this.domain = domain;
    this.slot = slot;
    this.sequence = this.word(DomainWord.GP_SEQ);
    this.events = new EventCount(memory, this.word(DomainWord.WANTED));
  }

  /** A word of the domain. */
  word(offset: number): Address {
    return field(domainRoot(this.layout, this.domain), offset);
  }

  /** A word of a slot's record. */
  readerWord(slot: number, word: number): Address {
    return readerWord(this.layout, slot, this.domain, word);
  }

  /** A word of this thread's record. */
  own(word: number): Address {
    return this.readerWord(this.slot, word);
  }

  /** Slots to look at. Read it after the grace period has begun: a thread that claims a later slot goes online after that. */
  slotsUsed(): number {
    return slotsUsed(this.memory);
  }

  /** Whether a thread lives in the slot; the sections of a dead one are over, whatever its record says. */
  isLive(slot: number): boolean {
    return kindOf(this.memory.load(slotAddress(this.layout, slot))) === SlotKind.LIVE;
  }

  /** A grace period was found to be over. */
  countGracePeriod(sequence: number): void {
    this.memory.add(this.word(DomainWord.GRACE_PERIODS), 1);
    this.tellEnd(sequence);
  }

  /** Cookies up to this sequence are over. */
  tellEnd(sequence: number): void {
    if (tracepoints.gracePeriodEnd.hasSubscribers) tracepoints.gracePeriodEnd.publish({ domain: this.domain, sequence: sequence >>> 0 });
  }
}

/**
 * What one can tell of the threads of a domain.
 *
 * Law table: this file owns no word, and writes none.
 */

import { field } from "../memory/address.js";
import { kindOf, NAME_WORDS, SlotKind, SlotWord, slotAddress, threadOf } from "../memory/slot.js";
import { loadText } from "../memory/text.js";
import type { Site } from "./flavors/site.js";
import { ReaderWord } from "./layout.js";

/** An attached thread. */
export interface SlotStats {
  readonly index: number;
  /** Its number, and the name it gave itself. */
  readonly thread: number;
  readonly name: string;
  /** In a section, or (event-loop, tree) in a turn that had one. */
  readonly online: boolean;
  /** The sequence it last saw; 0 when offline (event-loop, tree). */
  readonly seen: number;
  /** Since when, in ms of Date.now(); undefined when offline, or not timed (a synchronous section of the phase flavor). */
  readonly since: number | undefined;
  /** Longest turn online, or section that was timed, in ms. */
  readonly longestSection: number;
  /** Objects and bytes that it retired and that wait; callbacks that wait. */
  readonly waiting: number;
  readonly waitingBytes: number;
  readonly callbacks: number;
}

/** The time that the low 32 bits of a time not long ago stand for. */
function timeOf(low: number): number {
  const now = Date.now();
  return now - ((now - low) >>> 0);
}

/** The thread in a slot, if one lives there. */
export function slotStats(site: Site, index: number): SlotStats | undefined {
  const { memory, layout } = site;
  const slot = slotAddress(layout, index);
  const state = memory.load(slot);
  if (kindOf(state) !== SlotKind.LIVE) return undefined;
  const word = (offset: number): number => memory.load(site.readerWord(index, offset));
  const open = (phase: number): boolean => word(ReaderWord.UNLOCKS + phase) !== word(ReaderWord.LOCKS + phase);
  const online = word(ReaderWord.SEEN) !== 0 || open(0) || open(1);
  const since = word(ReaderWord.SINCE);
  return {
    index,
    thread: threadOf(state),
    name: loadText(memory, field(slot, SlotWord.NAME), NAME_WORDS),
    online,
    seen: word(ReaderWord.SEEN) >>> 0,
    since: online && since !== 0 ? timeOf(since) : undefined,
    longestSection: word(ReaderWord.LONGEST_SECTION),
    waiting: word(ReaderWord.WAITING),
    waitingBytes: word(ReaderWord.WAITING_BYTES),
    callbacks: (word(ReaderWord.QUEUED) - word(ReaderWord.RUN)) | 0,
  };
}

/** All attached threads. */
export function allSlotStats(site: Site): SlotStats[] {
  return Array.from({ length: site.slotsUsed() }, (_, index) => slotStats(site, index)).filter((stats) => stats !== undefined);
}

/**
 * Publication: a block becomes everybody's by one compareExchange, with no lock, and takes another's place; whoever dies anywhere in it leaves nothing lost
 * and nothing twice. For structures whose writers take no lock.
 *
 *   take()      a block that is freed with this thread             side word: unpublished by slot s
 *   publish()   note in the slot: which word, which blocks, which count
 *               compareExchange(word, from, to)                    <- commits
 *               the block is its structure's                       side word: the structure's tag
 *               count
 *   retireOld()   what was replaced; the note is withdrawn
 *
 * A reaper finds the note, and has to tell whether the compareExchange took place; the word may have been changed again by then. So whoever is about to
 * unlink a block first settles it: sees to it that its side word is the structure's tag. A noted block that is in the word, or no longer is unpublished,
 * was published; one that is in the word neither, and still unpublished after that look, never was. What is only unlinked (no block
 * takes its place) leaves in the word a value that no other thread stores there.
 *
 * Law table
 *   word                     class
 *   note (slot.ts)           private to the slot
 *   side word of a block     atomic: from this slot's `unpublished` tag to its structure's, by compareExchange, by anyone who finds it linked
 *   the word                 atomic; its structure's
 *   count                    atomic; stored by the slot's thread only, or by its reaper
 *
 * Guarantees
 *   A  of a thread that dies between take() and the end of retireOld(), once it is reaped: if the compareExchange took place, the new blocks are the structure's, the old
 *      ones are in limbo, the count is stored; else the new blocks are freed and nothing else has changed.
 *   B  a reaper that dies leaves the rest to the next.
 *   C  no step waits. What a block replaced must be retired in a section that began before it was found: until the thread is reaped its grace period is not over.
 */

import { type Address, field, NULL } from "./address.js";
import type { Heap } from "./heap.js";
import { MOST_WORDS } from "./layout.js";
import { NoteWord, RecordWord, SlotWord, slotAddress } from "./slot.js";

/** The address in a word that may have marks above it. */
const ADDRESS_MASK = MOST_WORDS - 1;

/** What a publication changes. NULL for what there is not. */
export interface Change {
  /** The word, and what it is to be changed from and to: the new block's address, perhaps with marks above; or, with no block, a value of this slot's own. */
  readonly word: Address;
  readonly from: number;
  readonly to: number;
  /** Blocks of `take` that become everybody's: the one in the word, and one that it names. */
  readonly block: Address;
  readonly value: Address;
  /** Blocks that nobody can reach any more. */
  readonly oldBlock: Address;
  readonly oldValue: Address;
  /** A word of this slot's own, and by how much it is more afterwards. */
  readonly counter: Address;
  readonly added: number;
}

/** One thread's publications for one structure. */
export class Publication {
  readonly #heap: Heap;
  readonly #note: Address;
  readonly #tag: number;
  readonly #domain: number;

  /**
   * @param tag the structure's
   * @param domain index of the domain that the blocks are retired in
   */
  constructor(heap: Heap, tag: number, domain: number) {
    this.#heap = heap;
    this.#note = field(heap.slot.address, SlotWord.NOTE);
    this.#tag = tag;
    this.#domain = domain;
  }

  /**
   * Take a block to be published, or freed.
   * @param bytes its size
   * @returns NULL when there is none
   */
  take(bytes: number): Address {
    return this.#heap.kmalloc(bytes, this.#heap.unpublished);
  }

  /** See to it that a block which is linked counts as published, before it is unlinked. In the section in which it was found. */
  settle(block: Address): void {
    settle(this.#heap, block, this.#tag);
  }

  /**
   * Make the change, if the word still is what it is to be changed from. Old blocks must have been settled.
   * @returns whether it was made: then comes `retireOld`, or `done` where nothing is old
   */
  publish(change: Change): boolean {
    const { memory } = this.#heap;
    const note = this.#note;
    this.finishLast(); // before the count, which that may change
    const count = change.counter === NULL ? 0 : memory.load(change.counter) + change.added;
    memory.write(field(note, NoteWord.TO), change.to);
    memory.write(field(note, NoteWord.BLOCK), change.block);
    memory.write(field(note, NoteWord.VALUE), change.value);
    memory.write(field(note, NoteWord.OLD_BLOCK), change.oldBlock);
    memory.write(field(note, NoteWord.OLD_VALUE), change.oldValue);
    memory.write(field(note, NoteWord.COUNTER), change.counter);
    memory.write(field(note, NoteWord.COUNT), count);
    memory.write(field(note, NoteWord.TAG), this.#tag);
    memory.write(field(note, NoteWord.DOMAIN), this.#domain);
    memory.write(field(note, NoteWord.RETIRING), 0);
    memory.write(note, change.word); // from here on the note holds
    if (memory.compareExchange(change.word, change.from, change.to) !== change.from) {
      memory.write(note, 0);
      return false;
    }
    if (change.block !== NULL) this.settle(change.block);
    if (change.value !== NULL) this.settle(change.value);
    if (change.counter !== NULL) memory.store(change.counter, count);
    return true;
  }

  /** Retire the old blocks that were given to `publish`, and withdraw the note; whatever is thrown meanwhile, so that nobody takes them for unfinished later. */
  retireOld({ oldBlock, oldValue }: Pick<Change, "oldBlock" | "oldValue">, retire: (block: Address) => void): void {
    this.#heap.memory.write(field(this.#note, NoteWord.RETIRING), 1);
    try {
      if (oldBlock !== NULL) retire(oldBlock);
      if (oldValue !== NULL) retire(oldValue);
    } finally {
      this.done();
    }
  }

  /** Whether an error has left a change unfinished, so that its blocks may be everybody's. */
  get isUnfinished(): boolean {
    return this.#heap.memory.read(this.#note) !== 0;
  }

  /** A stack overflow may have left a note: finish it. */
  finishLast(): void {
    const { slot } = this.#heap;
    if (this.isUnfinished) this.#heap.withArenaLock(() => finishNote(this.#heap, slot.index, false));
  }

  /** The change is finished. */
  done(): void {
    this.#heap.memory.write(this.#note, 0);
  }
}

function settle(heap: Heap, block: Address, tag: number): void {
  const { memory } = heap;
  const side = heap.linkOf(block);
  const owner = memory.load(side);
  // By compareExchange: when somebody else has settled it, it may be retired by now, and its side word say so.
  if (heap.isUnpublishedTag(owner)) memory.compareExchange(side, owner, tag);
}

/**
 * Finish what a slot's thread was in the middle of publishing. With the arena lock, after its limbo is finished; may be repeated.
 * @param isDead what it had begun to retire is its own until it is reaped. Of a living thread's note, which an error has left, it may have been retired, given back, and
 *   taken by others since, and is left alone: better lost than retired under somebody.
 */
export function finishNote(heap: Heap, slot: number, isDead: boolean): void {
  const { memory } = heap;
  const note = field(slotAddress(heap.layout, slot), SlotWord.NOTE);
  if (memory.read(note) === 0) return;
  const says = (word: number): number => memory.read(field(note, word));
  if (tookPlace(heap, slot, note)) {
    for (const word of [NoteWord.BLOCK, NoteWord.VALUE]) {
      const block = says(word) as Address;
      // One that is not unpublished any more was settled before, and may be anything by now.
      if (block !== NULL && heap.isUnpublished(block, slot)) settle(heap, block, says(NoteWord.TAG));
    }
    const counter = says(NoteWord.COUNTER) as Address;
    if (counter !== NULL) memory.store(counter, says(NoteWord.COUNT));
    const limbo = heap.limboOf(slot, says(NoteWord.DOMAIN));
    const segment = memory.read(field(limbo.record, RecordWord.COLLECTING));
    const areItsOwn = isDead || says(NoteWord.RETIRING) === 0;
    for (const word of areItsOwn ? [NoteWord.OLD_BLOCK, NoteWord.OLD_VALUE] : []) {
      const old = says(word) as Address;
      // Not live: it was retired, and this slot's limbo gives nothing back before its thread is reaped.
      if (old !== NULL && heap.isLive(old)) limbo.list(segment, old);
    }
  }
  memory.write(note, 0);
}

function tookPlace(heap: Heap, slot: number, note: Address): boolean {
  const { memory } = heap;
  const word = memory.load(memory.read(note) as Address);
  const block = memory.read(field(note, NoteWord.BLOCK)) as Address;
  if (block === NULL) return word === memory.read(field(note, NoteWord.TO));
  // In this order: when the word has another block by now, this one was settled before that.
  return (word & ADDRESS_MASK) === block || !heap.isUnpublished(block, slot);
}

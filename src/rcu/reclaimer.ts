/**
 * Reclamation: memory that waits for a grace period (S1: removal and reclamation are separate phases).
 *
 * Retired memory goes through the four segments of the slot's limbo as a ring (the kernel's rcu_segcblist, whose
 * DONE, WAIT, NEXT_READY and NEXT these are in turn):
 *
 *        OLDEST                      COLLECTING
 *        [waits for cookie a] [waits for b] [takes what is retired now] [empty]
 *
 * Sealing a segment takes a cookie for all that is in it; when the oldest cookie is over, the whole segment goes back to the
 * allocator. Nothing is allocated for that, so retiring cannot fail.
 *
 * When too many bytes wait, whoever retires feels it: it forces a grace period, and waits for it where it may.
 *
 * Law table
 *   word                        class
 *   COLLECTING, OLDEST, cookies private to the slot (see memory/slot.ts)
 *   WAITING, WAITING_BYTES      atomic; written only by the slot's thread, for statistics
 */

import { type Address, field } from "../memory/address.js";
import type { Heap } from "../memory/heap.js";
import { LIMBO_SEGMENTS, type Limbo } from "../memory/limbo.js";
import { finishNote } from "../memory/publication.js";
import { RecordWord, SlotWord } from "../memory/slot.js";
import { recordDuration } from "./durations.js";
import type { Family, Member } from "./family.js";
import type { Flavor } from "./flavors/flavor.js";
import type { Site } from "./flavors/site.js";
import { ReaderWord } from "./layout.js";
import type { Cookie } from "./sequence.js";
import { LONGEST_SLEEP } from "./waiter.js";

/** Retires between two looks at what is over, in a turn that does not end. */
const RETIRES_A_LOOK = 64;
/** Longest time that one retire waits when too much is waiting, in ms. */
const BACK_PRESSURE_WAIT = 100;

/** What one thread has retired in one domain. */
export class Reclaimer {
  readonly #heap: Heap;
  readonly #site: Site;
  readonly #flavor: Flavor;
  readonly #limbo: Limbo;
  readonly #limit: number;
  readonly #family: Family<Member>;
  readonly #started: number[] = new Array(LIMBO_SEGMENTS).fill(0);
  readonly #bytes: number[] = new Array(LIMBO_SEGMENTS).fill(0);
  #waitingBytes = 0;
  #sinceLook = 0;
  /** How often too much was waiting. */
  backPressure = 0;

  /**
   * @param limit bytes that may wait before whoever retires has to wait
   * @param family all domains of this thread: it may block only outside the sections of each
   */
  constructor(heap: Heap, site: Site, flavor: Flavor, limit: number, family: Family<Member>) {
    this.#heap = heap;
    this.#site = site;
    this.#flavor = flavor;
    this.#limbo = heap.limboOf(site.slot, site.domain);
    this.#limit = limit;
    this.#family = family;
  }

  #word(word: number): Address {
    return field(this.#limbo.record, word);
  }

  /** Whether nothing is waiting. */
  get empty(): boolean {
    return this.#limbo.empty;
  }

  /** Bytes in limbo that this thread knows of. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Give an object back once no reader can hold it. Allocates nothing. Blocks only where too much is waiting, and the thread may: outside
   * sections, with no lock held.
   * @throws DoubleFreeError, InvalidAddressError
   */
  retire(object: Address): void {
    const { memory, slot } = this.#heap;
    slot.mustBeAttached();
    const segment = memory.read(this.#word(RecordWord.COLLECTING));
    const bytes = this.#limbo.push(segment, object);
    this.#bytes[segment] = (this.#bytes[segment] as number) + bytes;
    this.#waitingBytes += bytes;
    this.#showWaiting();
    this.#sinceLook++;
    if (this.#waitingBytes > this.#limit && slot.locksHeld === 0) this.#pressBack();
  }

  /** In a long turn, after an operation: look whether something is over. Not while the caller holds what it retired. */
  lookNowAndThen(tryAdvance: () => void): void {
    if (this.#waitingBytes > this.#limit) this.#pressBack();
    if (this.#sinceLook < RETIRES_A_LOOK || this.#flavor.reader.nesting > 0) return;
    this.#sinceLook = 0;
    tryAdvance();
  }

  #pressBack(): void {
    if (this.#flavor.reader.nesting > 0 || this.#family.inTurnSection) return; // it would wait for itself
    this.backPressure++;
    this.flushSync(BACK_PRESSURE_WAIT);
  }

  #showWaiting(): void {
    const { memory } = this.#heap;
    memory.store(this.#word(ReaderWord.WAITING), this.#limbo.size);
    memory.store(this.#word(ReaderWord.WAITING_BYTES), this.#waitingBytes);
  }

  /**
   * Release what is over, seal what has collected. Outside sections.
   * @param timeout ms to wait for the arena lock at most
   * @throws LockTimeoutError
   */
  advance(timeout?: number): void {
    this.#finishNote(timeout);
    this.#seal();
    this.#flavor.reader.quiescent(); // this thread's own last section is over: it must not wait for itself
    this.#releaseOver(timeout);
  }

  // Outside sections there is a note only where an error has left one; what it names must not be given back, and taken by others, before it is finished.
  #finishNote(timeout?: number): void {
    const { memory, slot } = this.#heap;
    if (memory.read(field(slot.address, SlotWord.NOTE)) !== 0) this.#heap.withArenaLock(() => finishNote(this.#heap, slot.index, false), timeout);
  }

  #seal(): void {
    const { memory } = this.#heap;
    const collecting = memory.read(this.#word(RecordWord.COLLECTING));
    const next = (collecting + 1) % LIMBO_SEGMENTS;
    if (this.#limbo.count(collecting) === 0 || next === memory.read(this.#word(RecordWord.OLDEST))) return;
    this.#limbo.seal(collecting);
    memory.write(this.#limbo.cookie(collecting), this.#flavor.periods.start());
    this.#started[collecting] = performance.now();
    memory.write(this.#word(RecordWord.COLLECTING), next);
  }

  #releaseOver(timeout?: number): void {
    const { memory } = this.#heap;
    for (;;) {
      const oldest = memory.read(this.#word(RecordWord.OLDEST));
      if (oldest === memory.read(this.#word(RecordWord.COLLECTING))) return;
      if (!this.#flavor.periods.isOver(memory.read(this.#limbo.cookie(oldest)) as Cookie)) return;
      this.#family.departed.drainDead(timeout);
      this.#limbo.release(oldest, timeout);
      recordDuration(this.#site, performance.now() - (this.#started[oldest] as number));
      this.#waitingBytes -= this.#bytes[oldest] as number;
      this.#bytes[oldest] = 0;
      this.#showWaiting();
      memory.write(this.#word(RecordWord.OLDEST), (oldest + 1) % LIMBO_SEGMENTS);
    }
  }

  /** Blocking: wait until everything this thread has retired so far is given back, for at most `timeout` ms. Outside sections. */
  flushSync(timeout: number): void {
    const { events, memory } = this.#site;
    const deadline = performance.now() + timeout;
    for (;;) {
      this.advance();
      if (this.#limbo.empty || performance.now() >= deadline || !memory.canBlock) break;
      const ticket = events.announceSleep();
      this.advance();
      if (this.#limbo.empty) break;
      this.#family.goOffline();
      if (events.sleep(ticket, LONGEST_SLEEP)) this.#flavor.periods.force();
    }
  }

  /** Cookie of what has waited longest. */
  get oldestCookie(): Cookie | undefined {
    const { memory } = this.#heap;
    const oldest = memory.read(this.#word(RecordWord.OLDEST));
    return oldest === memory.read(this.#word(RecordWord.COLLECTING)) ? undefined : (memory.read(this.#limbo.cookie(oldest)) as Cookie);
  }
}

/**
 * The history of an object in a debug arena: in what state it is, how many bytes were asked for, who took it and who gave it back (the `struct track`
 * of Linux mm/slub.c).
 *
 *   history  | STATE | BYTES | taken: SITE NAME THREAD TIME | given back: SITE NAME THREAD TIME |
 *
 * An object of a cache has it behind its right red zone, a page in a table of its own. STATE is a version and one of
 *   CHANGING   nothing is known of zones and poison: the object was never taken, or is being taken or given back
 *   LIVE       zones are active
 *   FREED      zones are inactive, and the object, or page, is poisoned
 * so a thread that dies in the middle leaves CHANGING, and no false report. The version tells whoever looks at another
 * thread's object whether it changed meanwhile (a sequence lock).
 *
 * Law table
 *   every word   atomic; stored by whoever owns the object: its user when taking and giving back, or the arena lock's holder
 */

import { type Address, field } from "./address.js";
import type { CallLog } from "./call-log.js";
import type { Shape } from "./geometry.js";
import { HISTORY_WORDS, type Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import type { Origin } from "./memory-report.js";

const STATE = 0;
const BYTES = 1;
const TAKEN = 2;
const GIVEN = 6;
const Track = { SITE: 0, NAME: 1, THREAD: 2, TIME: 3 } as const;
const TRACK_WORDS = 4;

/** States, in the low bits of STATE. */
export const HistoryState = { CHANGING: 0, LIVE: 1, FREED: 2 } as const;
const STATE_BITS = 2;
const STATE_MASK = 3;

/** The state in a STATE word. */
export const stateIn = (word: number): number => word & STATE_MASK;

/** Words of each red zone of a cache's objects. */
export const ZONE_WORDS = 4;

/** The shape of a cache's objects in an arena: in a debug arena with red zones, and a history. */
export function shapeIn(layout: Layout, shape: Shape): Shape {
  return layout.debugMemory ? { ...shape, before: ZONE_WORDS, after: ZONE_WORDS + HISTORY_WORDS } : shape;
}

/** Where something is done, and by whom; addresses in the call log, 0 for not known. */
export interface Place {
  readonly site: number;
  readonly name: number;
}

/** Histories of an arena. */
export class Histories {
  readonly #memory: Memory;
  readonly #log: CallLog;
  readonly #pages: Address;

  constructor(memory: Memory, layout: Layout, log: CallLog) {
    this.#memory = memory;
    this.#log = log;
    this.#pages = layout.pageHistories;
  }

  /** The history of a page. */
  ofPage(page: number): Address {
    return field(this.#pages, page * HISTORY_WORDS);
  }

  /** State and version. */
  word(history: Address): number {
    return this.#memory.load(field(history, STATE));
  }

  state(history: Address): number {
    return stateIn(this.word(history));
  }

  /** Enter a state, with a new version. */
  enter(history: Address, state: number): void {
    const version = (this.word(history) >>> STATE_BITS) + 1;
    this.#memory.store(field(history, STATE), (version << STATE_BITS) | state);
  }

  /** Of memory that becomes an object: what stood there says nothing. */
  begin(history: Address): void {
    for (let word = 0; word < HISTORY_WORDS; word++) this.#memory.store(field(history, word), 0);
  }

  bytes(history: Address): number {
    return this.#memory.load(field(history, BYTES));
  }

  taken(history: Address, bytes: number, thread: number, place: Place): void {
    this.#memory.store(field(history, BYTES), bytes);
    this.#track(field(history, TAKEN), thread, place);
    this.#memory.store(field(history, GIVEN + Track.THREAD), 0);
  }

  given(history: Address, thread: number, place: Place): void {
    this.#track(field(history, GIVEN), thread, place);
  }

  /** A block's pages go their own ways from here on: each keeps where the block came from. */
  copy(from: Address, to: Address): void {
    for (let word = BYTES; word < HISTORY_WORDS; word++) this.#memory.store(field(to, word), this.#memory.load(field(from, word)));
  }

  #track(track: Address, thread: number, { site, name }: Place): void {
    this.#memory.store(field(track, Track.SITE), site);
    this.#memory.store(field(track, Track.NAME), name);
    this.#memory.store(field(track, Track.TIME), Date.now() | 0);
    this.#memory.store(field(track, Track.THREAD), thread + 1);
  }

  takenBy(history: Address): Origin | undefined {
    return this.#origin(field(history, TAKEN));
  }

  givenBy(history: Address): Origin | undefined {
    return this.#origin(field(history, GIVEN));
  }

  #origin(track: Address): Origin | undefined {
    const [site = 0, name = 0, thread = 0, time = 0] = Array.from({ length: TRACK_WORDS }, (_, word) => this.#memory.load(field(track, word)));
    if (thread <= 0) return undefined;
    // Modulo 2^32 ms: right for 49 days.
    const ago = ((Date.now() | 0) - time) >>> 0;
    return { thread: thread - 1, name: this.#log.textOf(name) ?? "", ago, stack: this.#log.textOf(site) };
  }
}

/**
 * Small histories of a map's exact lookups, recorded in rounds: main opens one and names who takes part; each of those does a few operations
 * as close together with the others as can be had; when all have done theirs, or died, main collects and checks. What one round
 * may have left is what the next begins with, so the whole run is one checked history.
 *
 *   words  ROUND EXPECTED ARRIVED CLOCK | by seat: LIFE FOR DONE, then records of KIND LO HI VALUE INVOKED RESPONDED
 */

import type { IntervalMap } from "../../src/index.js";
import { type Versioned, type VersionedView, versionOf } from "../support/maps.js";
import { checkOf, type Random } from "../support/seed.js";
import { describe, MOST_OPERATIONS, type Operation, type State, statesAfter } from "./linearizable.js";
import type { Tally } from "./tally.js";

const KEYS = 4;
const Word = { ROUND: 0, EXPECTED: 1, ARRIVED: 2, CLOCK: 3, SEATS: 4 } as const;
const Seat = { LIFE: 0, FOR: 1, DONE: 2, RECORDS: 3 } as const;
const RecordWord = { KIND: 0, LO: 1, HI: 2, VALUE: 3, INVOKED: 4, RESPONDED: 5, SIZE: 6 } as const;
const Kind = { GET: 1, SET: 2, DELETE: 3 } as const;
const MOST_RECORDS = 8;
/** How long a thread waits for the others to arrive, in ms. */
const PATIENCE = 1;

const recordsOf = (seats: number): number => Math.min(MOST_RECORDS, Math.floor(MOST_OPERATIONS / seats));
const seatWords = (seats: number): number => Seat.RECORDS + recordsOf(seats) * RecordWord.SIZE;

export function historyBuffer(seats: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (Word.SEATS + seats * seatWords(seats)));
}

/** One thread's part. */
export class Player {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #records: number;
  readonly #life: number;
  #round = 0;

  constructor(buffer: SharedArrayBuffer, seat: number, seats: number, life: number) {
    this.#words = new Int32Array(buffer);
    this.#records = recordsOf(seats);
    this.#at = Word.SEATS + seat * seatWords(seats);
    this.#life = life;
  }

  /** Take part in the round that is open, if there is a new one. */
  play(map: IntervalMap<"u32", Versioned, VersionedView>, random: Random, tally: Tally): void {
    const words = this.#words;
    const round = Atomics.load(words, Word.ROUND);
    if (round === this.#round) return;
    this.#round = round;
    // The life first and then the round it is for, which main stores the other way round: main may be opening the next one.
    if (Atomics.load(words, this.#at + Seat.LIFE) !== this.#life || Atomics.load(words, this.#at + Seat.FOR) !== round) return;
    Atomics.add(words, Word.ARRIVED, 1);
    const ends = performance.now() + PATIENCE;
    while (Atomics.load(words, Word.ARRIVED) < Atomics.load(words, Word.EXPECTED) && performance.now() < ends);
    for (let i = 0; i < this.#records; i++) this.#operate(this.#at + Seat.RECORDS + i * RecordWord.SIZE, map, random, tally);
    Atomics.store(words, this.#at + Seat.DONE, round);
  }

  #operate(record: number, map: IntervalMap<"u32", Versioned, VersionedView>, random: Random, tally: Tally): void {
    const words = this.#words;
    const lo = random.below(KEYS);
    const hi = random.from(lo, KEYS - 1);
    const kind = random.pick([Kind.GET, Kind.GET, Kind.GET, Kind.SET, Kind.SET, Kind.DELETE]);
    const version = tally.nextVersion();
    Atomics.store(words, record + RecordWord.KIND, kind);
    Atomics.store(words, record + RecordWord.LO, lo);
    Atomics.store(words, record + RecordWord.HI, hi);
    Atomics.store(words, record + RecordWord.VALUE, version);
    Atomics.store(words, record + RecordWord.INVOKED, this.#now());
    if (kind === Kind.SET) map.set(lo, hi, versionOf(version));
    else if (kind === Kind.DELETE) Atomics.store(words, record + RecordWord.VALUE, map.delete(lo, hi) ? 1 : 0);
    else {
      const value = map.get(lo);
      if (value !== undefined && value.check !== checkOf(value.version)) tally.fail("torn", `exact.get(${lo}) gave ${JSON.stringify(value)}`);
      Atomics.store(words, record + RecordWord.VALUE, value?.version ?? 0);
    }
    Atomics.store(words, record + RecordWord.RESPONDED, this.#now());
  }

  #now(): number {
    return Atomics.add(this.#words, Word.CLOCK, 1) + 1;
  }
}

/** Main's part. */
export class Rounds {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #seats: number;
  #states: readonly State[] = [new Array<number>(KEYS).fill(0)];
  #open = false;
  /** Rounds checked, and operations in them. */
  checked = 0;
  operations = 0;

  constructor(seats: number) {
    this.buffer = historyBuffer(seats);
    this.#words = new Int32Array(this.buffer);
    this.#seats = seats;
  }

  #seat(seat: number): number {
    return Word.SEATS + seat * seatWords(this.#seats);
  }

  /**
   * Check the round if it has ended, and open another.
   * @param lives who sits in each seat, 0 for nobody
   * @param isGone whether a life has ended
   * @param last open no more
   */
  step(lives: readonly number[], isGone: (life: number) => boolean, tally: Tally, last = false): void {
    const words = this.#words;
    if (this.#open) {
      const round = Atomics.load(words, Word.ROUND);
      for (let seat = 0; seat < this.#seats; seat++) {
        const life = Atomics.load(words, this.#seat(seat) + Seat.LIFE);
        if (life !== 0 && !isGone(life) && Atomics.load(words, this.#seat(seat) + Seat.DONE) !== round) return;
      }
      this.#open = false;
      this.#check(tally);
    }
    if (last) return;
    Atomics.store(words, Word.CLOCK, 0);
    Atomics.store(words, Word.ARRIVED, 0);
    Atomics.store(words, Word.EXPECTED, lives.filter((life) => life !== 0).length);
    const round = Atomics.load(words, Word.ROUND) + 1;
    for (const [seat, life] of lives.entries()) {
      Atomics.store(words, this.#seat(seat) + Seat.FOR, round);
      Atomics.store(words, this.#seat(seat) + Seat.LIFE, life);
    }
    this.#open = true;
    Atomics.store(words, Word.ROUND, round);
  }

  #check(tally: Tally): void {
    const history = this.#collect();
    const states = statesAfter(history, this.#states);
    this.checked++;
    this.operations += history.length;
    if (states.length > 0) {
      this.#states = states;
      return;
    }
    tally.fail("history", `not linearizable from ${this.#states.map((state) => `[${state}]`).join(" or ")}:\n${describe(history)}`);
    this.#states = possibleStates(history, this.#states);
  }

  #collect(): Operation[] {
    const history: Operation[] = [];
    for (let seat = 0; seat < this.#seats; seat++) {
      for (let i = 0; i < recordsOf(this.#seats); i++) {
        const at = this.#seat(seat) + Seat.RECORDS + i * RecordWord.SIZE;
        const [kind, lo = 0, hi = 0, value = 0, invoked = 0, response] = Array.from({ length: RecordWord.SIZE }, (_, word) =>
          Atomics.load(this.#words, at + word),
        );
        this.#words.fill(0, at, at + RecordWord.SIZE);
        if (invoked === 0) continue;
        const times = { invoked, responded: response || Number.POSITIVE_INFINITY };
        if (kind === Kind.GET) history.push({ kind: "get", lo, result: value, ...times });
        else if (kind === Kind.SET) history.push({ kind: "set", lo, hi, value, ...times });
        else history.push({ kind: "delete", lo, hi, result: value === 1, ...times });
      }
    }
    return history;
  }
}

/** After a failure: every state that any choice of the values written could have left, so that one error is counted once. */
function possibleStates(history: readonly Operation[], before: readonly State[]): State[] {
  let states: State[] = [[]];
  for (let key = 0; key < KEYS; key++) {
    const values = new Set<number>([0, ...before.map((state) => state[key] as number)]);
    for (const operation of history) if (operation.kind === "set" && operation.lo <= key && key <= operation.hi) values.add(operation.value);
    states = states.flatMap((state) => [...values].map((value) => [...state, value])).slice(0, 5000);
  }
  return states;
}

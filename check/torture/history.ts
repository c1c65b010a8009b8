/**
 * Small histories of a structure's operations on few keys (game.ts), recorded in rounds: main opens one and names who takes part; each of those does a few operations
 * as close together with the others as can be had; when all have done theirs, or died, main collects and checks. What one round
 * may have left is what the next begins with, so the whole run is one checked history.
 *
 *   words  ROUND EXPECTED ARRIVED CLOCK | by seat: LIFE FOR DONE, then records of INVOKED RESPONDED FACTS...
 */

import { type Draft, FACTS, type Game, KEYS } from "./game.js";
import { describe, MOST_OPERATIONS, type State, statesAfter, type Timed } from "./linearizable.js";
import type { Tally } from "./tally.js";

const Word = { ROUND: 0, EXPECTED: 1, ARRIVED: 2, CLOCK: 3, SEATS: 4 } as const;
const Seat = { LIFE: 0, FOR: 1, DONE: 2, RECORDS: 3 } as const;
const RecordWord = { INVOKED: 0, RESPONDED: 1, FACTS: 2, SIZE: 2 + FACTS } as const;
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

  /**
   * Take part in the round that is open, if there is a new one.
   * @param perform does one operation, and records it
   */
  play(perform: (draft: Draft) => void): void {
    const words = this.#words;
    const round = Atomics.load(words, Word.ROUND);
    if (round === this.#round) return;
    this.#round = round;
    // The life first and then the round it is for, which main stores the other way round: main may be opening the next one.
    if (Atomics.load(words, this.#at + Seat.LIFE) !== this.#life || Atomics.load(words, this.#at + Seat.FOR) !== round) return;
    Atomics.add(words, Word.ARRIVED, 1);
    const ends = performance.now() + PATIENCE;
    while (Atomics.load(words, Word.ARRIVED) < Atomics.load(words, Word.EXPECTED) && performance.now() < ends);
    for (let i = 0; i < this.#records; i++) {
      const at = this.#at + Seat.RECORDS + i * RecordWord.SIZE;
      perform({
        put: (word, value) => {
          Atomics.store(words, at + RecordWord.FACTS + word, value);
        },
        invoked: () => {
          Atomics.store(words, at + RecordWord.INVOKED, this.#now());
        },
      });
      Atomics.store(words, at + RecordWord.RESPONDED, this.#now());
    }
    Atomics.store(words, this.#at + Seat.DONE, round);
  }

  #now(): number {
    return Atomics.add(this.#words, Word.CLOCK, 1) + 1;
  }
}

/** Main's part. */
export class Rounds<O extends Timed = Timed> {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #seats: number;
  readonly #game: Game<O>;
  #states: readonly State[] = [new Array<number>(KEYS).fill(0)];
  #open = false;
  /** Rounds checked, and operations in them. */
  checked = 0;
  operations = 0;

  constructor(game: Game<O>, seats: number) {
    this.#game = game;
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
    const states = statesAfter(this.#game.model, history, this.#states);
    if (history.length > 0) this.checked++;
    this.operations += history.length;
    if (states.length > 0) {
      this.#states = states;
      return;
    }
    tally.fail("history", `not linearizable from ${this.#states.map((state) => `[${state}]`).join(" or ")}:\n${describe(this.#game.model, history)}`);
    this.#states = possibleStates(this.#game, history, this.#states);
  }

  #collect(): O[] {
    const history: O[] = [];
    for (let seat = 0; seat < this.#seats; seat++) {
      for (let i = 0; i < recordsOf(this.#seats); i++) {
        const at = this.#seat(seat) + Seat.RECORDS + i * RecordWord.SIZE;
        const [invoked = 0, response, ...facts] = Array.from({ length: RecordWord.SIZE }, (_, word) => Atomics.load(this.#words, at + word));
        this.#words.fill(0, at, at + RecordWord.SIZE);
        if (invoked !== 0) history.push(this.#game.read(facts, { invoked, responded: response || Number.POSITIVE_INFINITY }));
      }
    }
    return history;
  }
}

/** After a failure: every state that any choice of the values written could have left, so that one error is counted once. */
function possibleStates<O extends Timed>(game: Game<O>, history: readonly O[], before: readonly State[]): State[] {
  let states: State[] = [[]];
  for (let key = 0; key < KEYS; key++) {
    const values = new Set<number>([0, ...before.map((state) => state[key] as number)]);
    for (const operation of history) for (const value of game.written(operation, key)) values.add(value);
    states = states.flatMap((state) => [...values].map((value) => [...state, value])).slice(0, 5000);
  }
  return states;
}

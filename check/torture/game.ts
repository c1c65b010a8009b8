/**
 * What is played in the rounds of checked operations (history.ts): a structure's operations on few keys, how one is recorded, and the model that the records are
 * checked against.
 */

import type { Random } from "../support/seed.js";
import type { Model, Timed } from "./linearizable.js";
import type { Tally } from "./tally.js";

/** Keys of a game: 0 .. KEYS - 1. */
export const KEYS = 4;
/** Words of a record that an operation may use. */
export const FACTS = 8;

/** An operation's record, while it is being done. */
export interface Draft {
  /** Write a word; what was not written is 0. */
  put(word: number, value: number): void;
  /** Now. Once, when what is to be known of it if it never responds has been put. */
  invoked(): void;
}

/** What a player may use. */
export interface Means {
  readonly random: Random;
  readonly tally: Tally;
}

/** A structure's operations, for those who check them. */
export interface Game<O extends Timed> {
  readonly model: Model<O>;
  /** The operation of a record. */
  read(facts: readonly number[], times: Timed): O;
  /** Every value that an operation may give a key, 0 for none. */
  written(operation: O, key: number): readonly number[];
}

/** Rounds in which every subject is measured once, in turn; figures are medians of the quiet ones, ratios medians of their own rounds' ratios. */

import { QuietRounds } from "../quiet.js";
import { median, ratio } from "../rounds.js";
import { orNote } from "./crews.js";
import type { Plan } from "./plan.js";

export interface Subject {
  readonly name: string;
  measure(): Promise<number>;
}

const WARM_UP = 1;
const MOST_ROUNDS = 41;

/** What the rounds gave. */
export class Measured {
  readonly #values: ReadonlyMap<string, readonly number[]>;
  /** Which of the rounds to believe. */
  readonly quiet: QuietRounds;

  constructor(values: ReadonlyMap<string, readonly number[]>, quiet: QuietRounds) {
    this.#values = values;
    this.quiet = quiet;
  }

  get names(): readonly string[] {
    return [...this.#values.keys()];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  median(name: string): number {
    return median(this.#of(name));
  }

  /** Of a to b. */
  ratio(a: string, b: string): number {
    return ratio(this.#of(a), this.#of(b));
  }

  #of(name: string): number[] {
    return this.quiet.of(this.#values.get(name) as readonly number[]);
  }
}

/** Measure for so many seconds, at least one round; a peer that fails is noted and left out. Below a second nothing is warmed up: nobody looks at such figures. */
export async function measure(plan: Plan, subjects: readonly Subject[], seconds: number): Promise<Measured> {
  const values = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  const begin = performance.now();
  const round = async (into?: ReadonlyMap<string, number[]>): Promise<void> => {
    for (const { name, measure } of subjects) {
      if (!values.has(name)) continue;
      const value = await orNote(plan, measure);
      if (value === undefined) values.delete(name);
      else into?.get(name)?.push(value);
    }
  };
  for (let i = 0; i < WARM_UP && performance.now() - begin < seconds * 500; i++) await round();
  const quiet = new QuietRounds();
  const stop = begin + seconds * 1000;
  for (let i = 0; i < 1 || (i < MOST_ROUNDS && performance.now() < stop); i++) await quiet.round(() => round(values));
  return new Measured(values, quiet);
}

/**
 * Which rounds to believe on a machine that others use too: the half in which other processes took least of the cores. The choice looks at
 * the others only, never at a figure, so it favours none.
 */

import { Neighbours } from "./machine.js";

export class QuietRounds {
  /** Cores that others took in each round. */
  readonly #cores: number[] = [];

  /** Run a round. */
  async round(work: () => Promise<void>): Promise<void> {
    const neighbours = new Neighbours();
    await work();
    this.#cores.push(neighbours.cores());
  }

  /** Numbers of the rounds to use; all where the platform does not tell what others take. */
  get chosen(): readonly number[] {
    const rounds = this.#cores.map((_, round) => round);
    if (this.#cores.some(Number.isNaN)) return rounds;
    return rounds.sort((a, b) => (this.#cores[a] as number) - (this.#cores[b] as number)).slice(0, Math.ceil(rounds.length / 2));
  }

  /** The chosen rounds' values, of one for each round. */
  of(values: readonly number[]): number[] {
    return this.chosen.map((round) => values[round] as number);
  }

  /** What was chosen, in words. */
  get text(): string {
    return QuietRounds.textOf([this]);
  }

  /** What was chosen in several measurements, in words. */
  static textOf(all: readonly QuietRounds[]): string {
    const most = Math.max(...all.flatMap((quiet) => quiet.chosen.map((round) => quiet.#cores[round] as number)));
    const range = (counts: readonly number[]): string => [...new Set([Math.min(...counts), Math.max(...counts)])].join("-");
    const chosen = range(all.map((quiet) => quiet.chosen.length));
    const rounds = range(all.map((quiet) => quiet.#cores.length));
    return `medians of the quietest ${chosen} of ${rounds} rounds, in which others took at most ${most.toFixed(2)} cores`;
  }
}

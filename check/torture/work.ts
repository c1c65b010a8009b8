/** What a structure's threads do in a torture run (worker.ts). */

export interface Work {
  begin(): void;
  read(): void;
  /** Whether this thread updates. */
  readonly updates: boolean;
  update(): void;
  /** Turns between two specials, on the average: rounds of checked operations are for every turn, sections over turns for a few. */
  readonly specialTurns: number;
  special(): Promise<void> | void;
  end(): Promise<void>;
}

/**
 * How long a grace period takes while the demo runs: main asks for one every 50 ms and times it.
 *
 * The library's own figures go back to the creation of the memory. Loading retires some
 * hundred thousand nodes with no reader in sight, in thousands of grace periods of no length
 * at all, which would make any median look good. What is measured here is the whole wait of a
 * caller of synchronize(), under load, its own event loop's delay included.
 */

/** Milliseconds from the end of one to the start of the next. */
const PAUSE = 50;
/** Buckets to a doubling: a figure is right within 5 %. */
const FINENESS = 8;
const BUCKETS = 32 * FINENESS;

export interface GpMicros {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export class GraceProbe {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #max = 0;
  #stopped = false;
  #endPause: () => void = () => {};
  readonly #ended: Promise<void>;

  /** Begins at once. */
  constructor(synchronize: () => Promise<void>) {
    this.#ended = this.#run(synchronize);
    // Whoever calls stop() hears of it; until then it is nobody's unhandled rejection.
    this.#ended.catch(() => {});
  }

  async #run(synchronize: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      await synchronize();
      this.record((performance.now() - began) * 1000);
      if (!this.#stopped) await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ask no more. Resolves when the last grace period asked for has ended. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#endPause();
    return this.#ended;
  }

  record(micros: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(Math.max(1, micros)) * FINENESS));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#total++;
    this.#max = Math.max(this.#max, micros);
  }

  figures(): GpMicros {
    return { p50: this.#quantile(0.5), p99: this.#quantile(0.99), max: Math.round(this.#max) };
  }

  /** The time that a share of all stayed below. */
  #quantile(share: number): number {
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      below += this.#counts[bucket] as number;
      if (below > 0 && below >= this.#total * share) return Math.min(Math.round(2 ** ((bucket + 0.5) / FINENESS)), Math.round(this.#max));
    }
    return 0;
  }
}

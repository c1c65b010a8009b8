/**
 * Ctrl-C: the first asks the run to end with its summary, the second ends the process at once.
 */

/** Two signals closer than this are one key: npm passes on what the terminal sends us as well. */
const SAME_KEY = 100;

export class Interrupt {
  readonly #controller = new AbortController();
  #first = 0;

  /** Aborted by the first signal. */
  readonly signal: AbortSignal = this.#controller.signal;

  readonly #onSignal = (): void => {
    const now = performance.now();
    if (!this.signal.aborted) {
      this.#first = now;
      this.#controller.abort();
    } else if (now - this.#first > SAME_KEY) {
      process.exit(130);
    }
  };

  constructor() {
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
  }

  /** Give the signals back. */
  dispose(): void {
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
  }
}

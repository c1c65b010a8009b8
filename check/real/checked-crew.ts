/** A crew whose workers run over checked memory, and whose host, the main thread, does too. */

import { Crew, type Hand } from "../support/crew.js";
import type { CheckedArena } from "./checked-arena.js";
import { type CheckedHandle, type Report, reportText } from "./checked-thread.js";

export class CheckedCrew extends Crew<CheckedHandle> {
  readonly #arena: CheckedArena;

  constructor(arena: CheckedArena) {
    // Nobody is reaped: a thread that ends before its time has failed, and the run with it.
    super({
      // Asked for once for each worker, when it is started.
      get handle() {
        return { ...arena.handle, clock: arena.thread.fork() };
      },
      watch: () => {},
      domain: { stats: () => arena.domain.stats() },
    });
    this.#arena = arena;
  }

  /** The worker's file begins with `checkedHand()`. */
  override start<Job, Result = unknown>(file: URL, name: string, job: Job): Hand<Result> {
    return super.start<Job, Result>(file, name, job, (id) => this.#arena.thread.ended(id));
  }

  /** What was found, in whatever thread. */
  get report(): Report | undefined {
    return this.#arena.thread.report;
  }

  /**
   * Run a test to its end, and the crew to its own. What the checker has found is what has gone wrong, whatever went wrong with it.
   * @throws Error with the whole report
   */
  async run(body: () => Promise<void>): Promise<void> {
    let failure: unknown;
    try {
      await body();
    } catch (error) {
      failure = error;
    } finally {
      await this.end();
    }
    const { report } = this;
    if (report !== undefined) throw new Error(`the checker found:\n${reportText(report)}`);
    if (failure !== undefined) throw failure;
  }
}

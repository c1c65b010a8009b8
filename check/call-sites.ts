/** Places in the code, by number, so that shadow memory can keep one beside each epoch. */

/** Files of the checkers, whose frames say nothing. */
const OWN = /[\\/]check[\\/](shadow|explore|machine|scheduled-memory|checked-memory|call-sites|real[\\/][a-z-]+)\.[jt]s/;
/** Frames that are asked for: those of the checkers come on top of them. */
const FRAMES = 24;

/** Numbers for places in the code. */
export interface CallSites {
  /** The number of the place that is running; 0 when it is not kept. */
  here(): number;
  /** The stack there. */
  textOf(site: number): string | undefined;
}

/** The stack of whoever calls the checkers. */
export function stackHere(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const error = new Error("stack");
  Error.stackTraceLimit = limit;
  return trim(error);
}

/** Frames of the checkers are left out, and below `enter` begins another thread's stack. */
export function trim(error: Error): string {
  const lines = (error.stack ?? "").split("\n").slice(1);
  const end = lines.findIndex((line) => line.includes("Explorer.") && line.includes("enter"));
  return (end === -1 ? lines : lines.slice(0, end)).filter((line) => !OWN.test(line)).join("\n");
}

/** Sites of one JavaScript thread, as it comes to them; made into text only when that is asked for. */
export class LocalSites implements CallSites {
  readonly #errors: Error[] = [];

  here(): number {
    return this.#errors.push(new Error("stack"));
  }

  textOf(site: number): string | undefined {
    const error = this.#errors[site - 1];
    return error === undefined ? undefined : trim(error);
  }
}

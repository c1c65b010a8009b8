/**
 * What a thread could see of the world beside its memory, made a function of its own past: time, chance
 * and microtasks. Exploring is one synchronous call, so the globals can be lent for as long as it lasts.
 *
 * Time stands still, except that a wait that timed out took its timeout. Chance is the same sequence in
 * each run. A microtask runs when the thread's turn ends, in that run and no other. (Code that took
 * a reference to the real functions before is not caught; the nondeterminism check may be.)
 */

/** What the running thread finds in place of the globals; undefined: none runs (setup, verify). */
export interface World {
  defer(task: () => void): void;
  now(): number;
  random(): number;
}

/** Milliseconds at which every thread starts. */
export const START_TIME = 1_000_000;

export function inSandbox<R>(world: World, body: () => R): R {
  const { queueMicrotask } = globalThis;
  const { now } = Date;
  const { random } = Math;
  const { emitWarning } = process;
  globalThis.queueMicrotask = (task) => world.defer(task);
  performance.now = () => world.now();
  Date.now = () => world.now();
  Math.random = () => world.random();
  process.emitWarning = () => {}; // a thread that is killed in a section, say, leaves it open thousands of times
  try {
    return body();
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
    Reflect.deleteProperty(performance, "now"); // it hid the prototype's
    Date.now = now;
    Math.random = random;
    process.emitWarning = emitWarning;
  }
}

/** The real clock, in milliseconds, also inside the sandbox. */
export function realTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

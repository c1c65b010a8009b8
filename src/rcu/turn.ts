/** A turn of the event loop, from code that would otherwise go on in microtasks and let no event through. */

interface Scheduling {
  setImmediate?: (callback: () => void) => { unref?: () => void };
}

const { setImmediate } = globalThis as Scheduling;

/** Resolves in a later turn; keeps no process alive. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const pending = (setImmediate === undefined ? setTimeout(resolve, 0) : setImmediate(resolve)) as { unref?: () => void };
    pending.unref?.();
  });
}

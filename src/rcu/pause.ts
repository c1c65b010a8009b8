/**
 * A pause that lets the event loop turn, in code that would otherwise go on in microtasks and let no event through.
 *
 * Law table: this file owns no word.
 */

interface Handle {
  unref?: () => void;
}

interface Host {
  setImmediate?: (callback: () => void) => Handle;
}

/** Resolves after so many ms, at least one turn later; keeps no process alive. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds) as Handle;
    timer.unref?.();
  });
}

/** Resolves in the next turn; keeps no process alive. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { setImmediate } = globalThis as Host;
    setImmediate?.(resolve).unref?.();
    // Node lets a loop that has only an immediate of this kind wait for some other event; and browsers have none.
    const timer = setTimeout(resolve, 1) as Handle;
    timer.unref?.();
  });
}

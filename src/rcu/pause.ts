/**
 * A pause that lets the event loop turn, in code that would otherwise go on in microtasks and let no event through.
 *
 * Law table: this file owns no word.
 */

/**
 * Resolves after so many ms, at least one turn later; keeps no process alive. (Not setImmediate: Node lets a loop that has only an
 * unref'd one wait for some other event.)
 */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds) as { unref?: () => void };
    timer.unref?.();
  });
}

/**
 * Warnings, as the host gives them.
 *
 * Law table: this file owns no word.
 */

interface Host {
  process?: { emitWarning?: (message: string, type: string) => void };
}

/** A warning, as the host gives them. */
export function warn(message: string, type: string): void {
  const { process } = globalThis as Host;
  if (process?.emitWarning !== undefined) process.emitWarning(message, type);
  else console.warn(message);
}

/** Call a listener whose errors must not disturb the work that is going on: they are reported as uncaught, as of any event handler. */
export function tell<T>(listener: ((event: T) => void) | undefined, event: T): void {
  try {
    listener?.(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

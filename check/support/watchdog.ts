/**
 * A watchdog that names what hung, and what everyone was doing then.
 */

/**
 * How long anything may take before it is said to hang, in ms. Far more than it takes where it goes on at all: on a busy machine a thread may not run for
 * a hundred ms between any two lines, and a test must not fail of that. What must happen before some other time passes is not for this limit to tell. A worker
 * whose test waits for it takes half of it, so that its own message comes first.
 */
export const LIMIT = 120_000;

/**
 * Wait for `promise`; after `limit` ms fail with `hung: <what>` and what `detail` has to say.
 */
export async function within<T>(limit: number, what: string, promise: Promise<T>, detail: () => string = () => ""): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hung: ${what} (after ${limit} ms)\n${detail()}`)), limit);
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    clearTimeout(timer);
  }
}

/** The clock as it is, also where a test has put another in its place. */
const now = performance.now.bind(performance);

/** Wait until `condition` holds, looking every few ms. */
export async function until(limit: number, what: string, condition: () => boolean, detail: () => string = () => ""): Promise<void> {
  const deadline = now() + limit;
  while (!condition()) {
    if (now() > deadline) throw new Error(`hung: ${what} (after ${limit} ms)\n${detail()}`);
    await sleep(2);
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

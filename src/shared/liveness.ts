/**
 * Liveness: whether a thread still runs, asked of the platform through Web Locks.
 *
 * An attached thread holds a lock that is named after the arena and the thread's number. The platform drops it when the thread has
 * ended, however it ended, and not before; so whoever is granted the lock knows that its holder is dead. Nobody else ever
 * takes it but in `shared` mode, `ifAvailable`, for an instant: askers do not see one another.
 *
 *   thread   attach ---- lock granted: LIVENESS = 1 ------------ detach, lock let go
 *                                                   `-- dies: the platform drops the lock
 *   asker                                                        LIVENESS is 1 and the lock is free: dead
 *
 * What is there is found by feature tests: `navigator.locks` (browsers, Deno), `locks` of node:worker_threads (Node from 24.5). Where there is
 * none (Node 20 and 22, Bun) nobody can tell, and a Worker's own `exit` event must do.
 *
 * Law table: this file owns no word; LIVENESS is the slot's (memory/slot.ts), and what is said of it here is kept by shared.ts.
 *
 * Guarantees
 *   A  `isDead` gives true only when the thread has ended, provided that `hasHeld` is true only of a thread that was told `onHeld` and has
 *      not yet let go: it is asked once more while the asker has the lock, when nobody else can be granted it. Not quite on Deno (2.9.6): there
 *      terminate() of a node Worker frees the lock some instructions before the thread stops (see LINGER in shared.ts).
 *   B  neither holding nor asking keeps an event loop alive.
 */

type Granted = { readonly name: string } | null;

interface LockOptions {
  readonly mode?: "shared" | "exclusive";
  readonly ifAvailable?: boolean;
  readonly steal?: boolean;
  readonly signal?: AbortSignal;
}

interface Locks {
  request<T>(name: string, options: LockOptions, callback: (lock: Granted) => T): Promise<Awaited<T>>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string; readonly mode?: string }[] }>;
}

interface Platform {
  readonly navigator?: { readonly locks?: Locks };
  readonly process?: { getBuiltinModule?: (name: string) => { readonly locks?: Locks } | undefined };
}

function platformLocks(): Locks | undefined {
  const { navigator, process } = globalThis as Platform;
  return navigator?.locks ?? process?.getBuiltinModule?.("node:worker_threads")?.locks;
}

const nameOf = (id: string, thread: number): string => `quiesce ${id} thread ${thread}`;

/** Whether this platform can tell of threads whether they live. */
export function canTell(): boolean {
  return platformLocks() !== undefined;
}

/** What this thread holds or is about to, by name: it holds again only after it has let go. */
const holdings = new Map<string, Promise<void>>();

/**
 * Hold this thread's liveness lock until the thread ends or lets go.
 * @param id the arena's identity
 * @param onHeld called once, in a later turn or microtask, when the lock is held; never after it was let go
 * @returns lets go; the second time does nothing
 */
export function holdLiveness(id: string, thread: number, onHeld: () => void = () => {}): () => void {
  const locks = platformLocks();
  if (locks === undefined) return () => {};
  const name = nameOf(id, thread);
  let wanted = true;
  let release = (): void => {};
  const untilReleased = (): Promise<void> | undefined => {
    if (!wanted) return undefined;
    return new Promise((resolve) => {
      release = resolve;
      onHeld();
    });
  };
  const hold = async (): Promise<void> => {
    if (!(await canLeave(locks))) return locks.request(name, {}, untilReleased);
    do {
      if (!wanted) return;
    } while (!(await leave(locks, name)));
    await untilReleased();
    await takeBack(locks, name);
  };
  // A platform may refuse (a page of no origin): then nobody is told that this thread holds anything.
  const holding = (holdings.get(name) ?? Promise.resolve())
    .then(hold)
    .catch(() => {})
    .finally(() => {
      if (holdings.get(name) === holding) holdings.delete(name);
    });
  holdings.set(name, holding);
  return () => {
    wanted = false;
    release();
  };
}

/**
 * Ask whether a thread has ended.
 * @param hasHeld whether the thread has been told that it holds its lock, and has not let go since; without that nothing can be told from a
 *   free lock. Asked again while the asker has the lock.
 * @returns true: it has ended; false: it has not; undefined: cannot tell
 */
export async function isDead(id: string, thread: number, hasHeld: () => boolean): Promise<boolean | undefined> {
  const locks = platformLocks();
  if (locks === undefined || !hasHeld()) return undefined;
  try {
    // Granted at once or not at all: on Node a request that waits is not granted when the holder dies.
    return await locks.request(nameOf(id, thread), { mode: "shared", ifAvailable: true }, (lock) => {
      if (lock === null) return false;
      return hasHeld() ? true : undefined;
    });
  } catch {
    return undefined;
  }
}

// Deno keeps a thread alive as long as it holds a lock (2.9.6), and has no way to say that it should not. But a lock whose request fails
// just after the grant stays with the thread, with nothing that waits for it, until the thread ends or the lock is stolen. Its implementation looks
// at `signal.aborted` there; others look before the grant (Node) or not at all (browsers, natively). So it is tried once in each thread,
// on a name of its own, and used only where the lock is seen to be held.

class Left extends Error {}

/** Request a lock such that, on some platforms, it is held though its request has failed; gives whether the request has failed so. */
async function leave(locks: Locks, name: string): Promise<boolean> {
  const { signal } = new AbortController();
  Object.defineProperty(signal, "aborted", {
    get() {
      throw new Left();
    },
  });
  try {
    await locks.request(name, { signal }, () => {});
    return false; // granted later, when somebody who asked had done: it looks at nothing then
  } catch (error) {
    if (error instanceof Left) return true;
    throw error;
  }
}

/** Let go of a lock that was left. */
function takeBack(locks: Locks, name: string): Promise<void> {
  return locks.request(name, { steal: true }, () => {});
}

async function tryToLeave(locks: Locks): Promise<boolean> {
  const name = `quiesce probe ${crypto.randomUUID()}`;
  if (!(await leave(locks, name))) return false;
  const { held } = await locks.query();
  if (held?.some((lock) => lock.name === name) !== true) return false;
  await takeBack(locks, name);
  return true;
}

let leaving: Promise<boolean> | undefined;

function canLeave(locks: Locks): Promise<boolean> {
  leaving ??= tryToLeave(locks).catch(() => false);
  return leaving;
}

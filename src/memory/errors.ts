/**
 * Named errors. Each has a stable `code`, and a message that says what was given, what is
 * allowed, and what to do. Nothing shared has changed when one is thrown.
 *
 * Law table: this file owns no word.
 */

/** The base of every error this library throws on purpose. */
export class QuiesceError extends Error {
  /** Stable, machine-readable name of the refusal. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The buffer is not an arena of this library, or not one that this version can open. */
export class ArenaFormatError extends QuiesceError {
  constructor(code: "ERR_FOREIGN_BUFFER" | "ERR_FORMAT_VERSION" | "ERR_TRUNCATED_BUFFER" | "ERR_CORRUPT_HEADER", message: string) {
    super(code, message);
  }
}

/** The options given to create an arena cannot make one. */
export class ArenaOptionsError extends QuiesceError {
  constructor(message: string) {
    super("ERR_ARENA_OPTIONS", message);
  }
}

/** No memory is left, not even after a forced grace period. The failed operation changed nothing. */
export class OutOfMemoryError extends QuiesceError {
  /** Bytes asked for. */
  readonly requested: number;
  /** Bytes in free pages (perhaps too scattered to serve, or kept for what frees). */
  readonly free: number;
  /** Bytes of the whole arena. */
  readonly total: number;

  constructor(requested: number, free: number, total: number) {
    super(
      "ERR_OUT_OF_MEMORY",
      `the arena is full: ${requested} bytes asked for, ${free} of ${total} bytes in free pages; nothing was changed. ` +
        "Delete something, or create the arena with more bytes (they cost nothing until touched).",
    );
    this.requested = requested;
    this.free = free;
    this.total = total;
  }
}

/** Every slot is taken by an attached thread. */
export class TooManyThreadsError extends QuiesceError {
  constructor(slots: number) {
    super(
      "ERR_TOO_MANY_THREADS",
      `all ${slots} slots are taken: close() in a thread that is done, watch() workers so that dead ones are reaped, or create with more slots.`,
    );
  }
}

/** Every entry of the cache table is taken. */
export class TooManyCachesError extends QuiesceError {
  constructor(caches: number) {
    super("ERR_TOO_MANY_CACHES", `all ${caches} slab caches are taken: create the arena with a larger \`caches\`.`);
  }
}

/** An address that the allocator did not give out, or that is not the start of an object. */
export class InvalidAddressError extends QuiesceError {
  constructor(address: number, why: string) {
    super("ERR_INVALID_ADDRESS", `address ${address} ${why}`);
  }
}

/** The object is not live: it was freed, or retired, before. */
export class DoubleFreeError extends QuiesceError {
  /** @param history in a debug arena, where the object was allocated and freed */
  constructor(address: number, operation: "free" | "retire", history = "") {
    super(
      operation === "free" ? "ERR_DOUBLE_FREE" : "ERR_DOUBLE_RETIRE",
      `${operation} of address ${address}, which is not live: it was freed or retired before. Each object is given back once, by whoever unlinked it.${history}`,
    );
  }
}

/** The object has another size than whoever frees it says (debug arenas). */
export class WrongSizeError extends QuiesceError {
  constructor(address: number, given: number, bytes: number, history: string) {
    super(
      "ERR_WRONG_SIZE",
      `free of ${given} bytes at address ${address}, where ${bytes} bytes were allocated: free what was allocated, with its size.${history}`,
    );
  }
}

/** The object is of another cache than the one it is given back to (debug arenas). */
export class WrongCacheError extends QuiesceError {
  constructor(address: number, cache: string, owner: string) {
    super("ERR_WRONG_CACHE", `address ${address} was given to cache ${cache} and belongs to ${owner}: give it back where it was taken, or to kfree().`);
  }
}

/** A thread asked for a lock that it holds already. */
export class DeadlockError extends QuiesceError {
  constructor(address: number) {
    super("ERR_DEADLOCK", `this thread already holds the lock at ${address}; the lock is not recursive.`);
  }
}

/** The lock's owner did not let go in time. */
export class LockTimeoutError extends QuiesceError {
  constructor(address: number, thread: number, milliseconds: number) {
    super(
      "ERR_LOCK_TIMEOUT",
      `the lock at ${address} was held by thread ${thread} for ${milliseconds} ms. If that thread died, its death must be seen first: ` +
        "watch() its worker, and let this thread's event loop turn so that the exit event can arrive.",
    );
  }
}

/** The handle was closed, or its thread's slot given back. */
export class ClosedError extends QuiesceError {
  constructor(what: string) {
    super("ERR_CLOSED", `${what} was closed in this thread; attach again to use it.`);
  }
}

/** A size that is not a whole number of bytes the call allows. */
export class InvalidSizeError extends QuiesceError {
  constructor(what: string, given: unknown, allowed: string) {
    super("ERR_INVALID_SIZE", `${what} must be ${allowed}; got ${String(given)}.`);
  }
}

/** A touch of an address of the virtual space where nothing is mapped: a guard page, a freed area, or none at all. */
export class PageFaultError extends QuiesceError {
  /** The virtual address, in words. */
  readonly address: number;

  constructor(address: number, where: string) {
    super("ERR_PAGE_FAULT", `touch of the virtual address ${address}, ${where}; nothing is mapped there.`);
    this.address = address;
  }
}

/** What may wait was called where waiting is not allowed. */
export class AtomicContextError extends QuiesceError {
  constructor(operation: string, why: string) {
    super("ERR_ATOMIC_CONTEXT", `${operation} may wait, and this thread must not: ${why}. Do it before or after.`);
  }
}

/** A page has to come from, or go to, a backing store, and this thread opened the virtual space without one. */
export class NoBackingStoreError extends QuiesceError {
  constructor(operation: string) {
    super("ERR_NO_BACKING_STORE", `${operation} needs a backing store: give one, the same for all threads, as \`store\` to the Vmalloc of this thread.`);
  }
}

/** Nothing came free within the time given. */
export class MempoolTimeoutError extends QuiesceError {
  constructor(address: number, milliseconds: number) {
    super("ERR_MEMPOOL_TIMEOUT", `no element of the mempool at ${address} came free in ${milliseconds} ms, and its allocator had none; nothing was taken.`);
  }
}

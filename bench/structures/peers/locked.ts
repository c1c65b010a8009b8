/** shared.map of this build with a lock around each operation: what its readers are spared. */

import type { Address } from "../../../src/memory/address.js";
import { type Heap, RobustMutex } from "../../../src/memory/index.js";
import { RwLock } from "../../../src/memory/rw-lock.js";
import type { Key, Value } from "../data.js";
import type { Held, MapLike, OpenOptions } from "../held.js";
import { openSharedMap } from "./shared-map.js";

/** What a lookup and a set take first, and let go at the end. */
interface Lock {
  lockToRead(): void;
  unlockRead(): void;
  lockToWrite(): void;
  unlockWrite(): void;
}

/** Of a lock: a line of its own. */
const LINE_BYTES = 64;

interface LockedHandle {
  readonly map: unknown;
  readonly lock: Address;
}

class Locked implements MapLike {
  readonly #map: MapLike;
  readonly #lock: Lock;

  constructor(map: MapLike, lock: Lock) {
    this.#map = map;
    this.#lock = lock;
  }

  get(key: Key): Value | undefined {
    this.#lock.lockToRead();
    try {
      return this.#map.get(key);
    } finally {
      this.#lock.unlockRead();
    }
  }

  set(key: Key, value: Value): void {
    this.#lock.lockToWrite();
    try {
      this.#map.set(key, value);
    } finally {
      this.#lock.unlockWrite();
    }
  }
}

async function openLocked(options: OpenOptions, lockAt: (heap: Heap, address: Address) => Lock): Promise<Held> {
  const given = options.handle as LockedHandle | undefined;
  const held = await openSharedMap({ ...options, handle: given?.map });
  const { heap } = held.shared.domain.arena;
  const lock = given?.lock ?? heap.kmalloc(LINE_BYTES);
  if (given === undefined) for (let word = 0; word < LINE_BYTES / 4; word++) heap.memory.store((lock + word) as Address, 0);
  return {
    ...held,
    map: new Locked(held.map, lockAt(heap, lock)),
    handle: held.handle === undefined ? undefined : ({ map: held.handle, lock } satisfies LockedHandle),
  };
}

/** Under the reader-writer lock of this build. */
export function openUnderRwLock(options: OpenOptions): Promise<Held> {
  return openLocked(options, (heap, address) => {
    const lock = new RwLock(heap.memory, address, heap.slot);
    return {
      lockToRead: () => lock.readLock(),
      unlockRead: () => lock.readUnlock(),
      lockToWrite: () => lock.writeLock(),
      unlockWrite: () => lock.writeUnlock(),
    };
  });
}

/** Under the mutex of this build, which survives its owner's death. */
export function openUnderMutex(options: OpenOptions): Promise<Held> {
  return openLocked(options, (heap, address) => {
    const mutex = new RobustMutex(heap.memory, address, heap.slot);
    const lock = (): void => void mutex.lock();
    const unlock = (): void => mutex.unlock();
    return { lockToRead: lock, unlockRead: unlock, lockToWrite: lock, unlockWrite: unlock };
  });
}

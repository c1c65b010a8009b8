/** The peers by name, in the order of the columns. */

import type { Held, OpenOptions } from "./held.js";

export const OURS = "shared.map";
export const NATIVE = "Map";
/** In C; it has a program of its own (rculfhash.ts). */
export const RCULFHASH = "rculfhash (C)";
/** Those that a JavaScript thread can open, for one thread and many. */
export const PEERS = [NATIVE, OURS, "lmdb", "sharedmap", "shared-memory-datastructures"] as const;
/** What a lookup by a number can cost at the least here, with and without an atomic load (peers/bare-table.ts). */
export const BARE = ["bare table (atomic load)", "bare table (plain load)"] as const;
/** Ours with every operation under a lock. */
export const LOCKED = ["shared.map under a mutex", "shared.map under a reader-writer lock"] as const;

const BARE_REMARK =
  "bare tables have neither sections nor versions, do not grow, and belong to one thread; without the atomic load nobody else might write to one.";

/** What is known of a peer and would be wrong to leave out beside its figures. */
export const REMARKS: Readonly<Record<string, string>> = {
  sharedmap: "sharedmap holds strings only: keys and values are made from and to strings, objects by JSON.",
  "shared-memory-datastructures": "shared-memory-datastructures has neither locks nor atomic operations: its readers may see halves of an update.",
  ...Object.fromEntries(BARE.map((name) => [name, BARE_REMARK])),
  lmdb: "lmdb writes to a file, without syncing it; its sets are put() in batches, awaited at the end of each turn.",
};

export async function openPeer(name: string, options: OpenOptions): Promise<Held> {
  switch (name) {
    case NATIVE:
      return (await import("./peers/native-map.js")).openNativeMap();
    case OURS:
      return (await import("./peers/shared-map.js")).openSharedMap(options);
    case "lmdb":
      return (await import("./peers/lmdb.js")).openLmdb(options);
    case "sharedmap":
      return (await import("./peers/sharedmap.js")).openSharedmap(options);
    case "shared-memory-datastructures":
      return (await import("./peers/shareable-map.js")).openShareableMap(options);
    case BARE[0]:
    case BARE[1]:
      return (await import("./peers/bare-table.js")).openBareTable(options, name === BARE[0]);
    case "shared.map under a mutex":
      return (await import("./peers/locked.js")).openUnderMutex(options);
    case "shared.map under a reader-writer lock":
      return (await import("./peers/locked.js")).openUnderRwLock(options);
    default:
      throw new Error(`no peer is named ${name}`);
  }
}

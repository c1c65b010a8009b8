/**
 * lmdb 3 (LMDB in C, with a JavaScript layer): a file that processes and threads map into their memory. Values are msgpack, its default; nothing
 * is synced to disk. Sets are its batched put(), awaited at the end of each turn, which is how its authors advise to write.
 */

import { join } from "node:path";
import type { Key, Value } from "../data.js";
import { type Held, type OpenOptions, optional } from "../held.js";

interface Database {
  get(key: Key): Value | undefined;
  put(key: Key, value: Value): Promise<boolean>;
  readonly committed: Promise<boolean>;
  getStats(): Record<string, number>;
  close(): Promise<void>;
}

export async function openLmdb({ kind, directory }: OpenOptions): Promise<Held> {
  const lmdb = await optional<{ open(options: object): Database }>("lmdb");
  const keyEncoding = kind === "u32" ? { keyEncoding: "uint32" } : {};
  const database = lmdb.open({ path: join(directory, "lmdb"), noSync: true, noMemInit: true, ...keyEncoding });
  return {
    map: { get: (key) => database.get(key), set: (key, value) => void database.put(key, value) },
    handle: true,
    bytes: () => {
      const { pageSize = 0, treeBranchPageCount = 0, treeLeafPageCount = 0, overflowPages = 0 } = database.getStats();
      return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
    },
    settle: async () => database.committed,
    close: () => database.close(),
  };
}

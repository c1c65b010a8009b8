/** shared.map of this build. */

import { jsonOf, Shared, type SharedHandle, struct, u32, utf8 } from "../../../src/index.js";
import type { Kind, Thing } from "../data.js";
import type { Held, MapLike, OpenOptions } from "../held.js";

/** Of the arena, with an empty map in it. */
const FIXED_BYTES = 32 * 2 ** 20;
/** Room for an entry, with what waits for grace periods and a table that is being replaced. */
const ENTRY_BYTES: Readonly<Record<Kind, number>> = { u32: 160, utf8: 256, json: 512, struct: 320 };

export interface SharedHeld extends Held {
  readonly shared: Shared;
}

export async function openSharedMap({ kind, size, handle }: OpenOptions): Promise<SharedHeld> {
  const shared = handle === undefined ? Shared.create({ bytes: roundUp(FIXED_BYTES + size * ENTRY_BYTES[kind]) }) : Shared.attach(handle as SharedHandle);
  const before = shared.stats().bytes.used;
  const map = open(shared, kind) as unknown as MapLike;
  return {
    shared,
    map,
    handle: shared.handle,
    bytes: () => shared.stats().bytes.used - before,
    finish: () => shared.domain.barrier(),
    close: async () => shared.close(),
  };
}

function open(shared: Shared, kind: Kind): object {
  switch (kind) {
    case "u32":
      return shared.map(kind, { key: u32, value: u32 });
    case "utf8":
      return shared.map(kind, { key: utf8, value: u32 });
    case "json":
      return shared.map(kind, { key: utf8, value: jsonOf<Thing>() });
    case "struct":
      return shared.map(kind, { key: utf8, value: struct({ id: u32, hits: u32 }) });
  }
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 2 ** 16) * 2 ** 16;

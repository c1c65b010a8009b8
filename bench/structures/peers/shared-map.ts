/** shared.map of this build. */

import { Shared, type SharedHandle } from "../../../src/index.js";
import type { Key, Kind, Value } from "../data.js";
import type { Held, MapLike, OpenOptions } from "../held.js";
import { StandIn } from "../stand-in.js";

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
  const map: MapLike = new StandIn<Key, Value>();
  return {
    shared,
    map,
    handle: undefined, // shared.handle
    bytes: () => shared.stats().bytes.used - before,
    finish: () => shared.domain.barrier(),
    close: async () => shared.close(),
  };
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 2 ** 16) * 2 ** 16;

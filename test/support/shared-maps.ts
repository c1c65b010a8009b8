/** What tests see of a map's insides. */

import assert from "node:assert/strict";
import { placeOf } from "../../check/support/open-map.js";
import { field } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { Publication } from "../../src/memory/publication.js";
import type { Domain } from "../../src/rcu/domain.js";
import { Buckets } from "../../src/structures/map/bucket.js";
import { keysOf } from "../../src/structures/map/keys.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import { Tables } from "../../src/structures/map/tables.js";
import type { Place } from "../../src/structures/structure.js";
import { liveIn } from "./audit.js";
import { startingState } from "./starting-state.js";
import type { World } from "./world.js";

export { openSharedMap, placeOf } from "../../check/support/open-map.js";

const seedIn = ({ domain: { arena }, header }: Place): number => arena.memory.read(Header.ID) ^ arena.memory.read(field(Header.ID, 1)) ^ header;

/** What a map's hashes are keyed with. */
export const seedOfMap = <K, T, V>(domain: Domain, schema: MapSchema<K, T, V>, name = "map"): number => seedIn(placeOf(domain, schema, name));

/** A map's tables, for what its own operations do in the middle of others. */
export function tablesOf<K, T, V>(domain: Domain, schema: MapSchema<K, T, V>, name = "map"): Tables {
  const place = placeOf(domain, schema, name);
  const { memory, heap } = domain.arena;
  const keys = keysOf(schema.key, seedIn(place));
  const format = { valueWords: schema.value.words ?? 1, expires: schema.ttl !== undefined, used: schema.maxEntries !== undefined };
  const buckets = new Buckets(memory, keys, format) as Buckets<unknown>;
  return new Tables(place, new Publication(heap, place.tag, domain.index), buckets);
}

/** Hold the map, as snapshot() and clear() do. Gives how to let go, in one section. */
export function hold(domain: Domain, tables: Tables): () => void {
  tables.lock.lock();
  const nesting = domain.reader.begin();
  const table = tables.hold();
  assert.ok(table !== undefined, "there is memory");
  return () => {
    tables.release(table);
    domain.reader.endTo(nesting);
    tables.lock.unlock();
  };
}

/** What is in use, told by a thread that is alone. */
export interface InUse {
  readonly live: number;
  readonly freePages: number;
}

export function inUse(world: World): InUse {
  const arena = world.arena(99);
  const { freePages } = startingState(arena);
  const live = liveIn(arena).length;
  arena.detach();
  return { live, freePages };
}

/** As many objects live as at the start. The table stands elsewhere than the first one did, so that it may take a page or two more. */
export function isAsAtStart(world: World, start: InUse, when = ""): void {
  const { live, freePages } = inUse(world);
  assert.equal(live, start.live, `${when}: live objects`);
  assert.ok(freePages >= start.freePages - 2, `${when}: ${freePages} free pages, ${start.freePages} at the start`);
}

/** Entries of a map, or pairs, in the order of their keys: for comparison. */
export function sorted<K, T>(entries: Iterable<readonly [K, T]>): [K, T][] {
  return [...entries].map(([key, value]): [K, T] => [key, value]).sort(([a], [b]) => compare(a, b));
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : 1;
}

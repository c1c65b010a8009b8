/** Maps of a domain that stands over any memory: what `Shared.intervalMap` and `Shared.map` do over its own. */

import type { Domain } from "../../src/rcu/domain.js";
import { Directory } from "../../src/shared/directory.js";
import { IntervalMap } from "../../src/structures/interval-map.js";
import { SharedMap } from "../../src/structures/map/map.js";
import { checkMapSchema, type MapSchema, mapSchemaText } from "../../src/structures/map/schema.js";
import { headerBytes } from "../../src/structures/map/words.js";
import { type BoundsTypes, type IntervalMapSchema, nodeBytes, schemaText } from "../../src/structures/schema.js";
import type { Place } from "../../src/structures/structure.js";

/** Open a map by name in a domain. */
export function openMap<const B extends keyof BoundsTypes, T, V = T>(domain: Domain, schema: IntervalMapSchema<B, T, V>, name = "map"): IntervalMap<B, T, V> {
  return new IntervalMap<B, T, V>(new Directory(domain).open(name, schemaText(schema), { nodeBytes: nodeBytes(schema) }), schema);
}

export interface OpenOptions {
  readonly name?: string;
  /** The time of day in ms. */
  readonly now?: () => number;
}

/** A hash map's place, made if it is new; there is no table in it yet. */
export function placeOf<K, T, V>(domain: Domain, schema: MapSchema<K, T, V>, name: string): Place {
  checkMapSchema(schema);
  return new Directory(domain).open(name, mapSchemaText(schema), { nodeBytes: 0, headerBytes: headerBytes(domain.arena.layout.slots) });
}

/** Open a hash map by name in a domain. */
export function openSharedMap<K, T, V = T>(domain: Domain, schema: MapSchema<K, T, V>, { name = "map", now }: OpenOptions = {}): SharedMap<K, T, V> {
  return new SharedMap<K, T, V>(placeOf(domain, schema, name), schema, now);
}

/** Maps of a domain that stands over any memory: what `Shared.intervalMap` does over its own. */

import type { Domain } from "../../src/rcu/domain.js";
import { Directory } from "../../src/shared/directory.js";
import { IntervalMap } from "../../src/structures/interval-map.js";
import { type BoundsTypes, type IntervalMapSchema, nodeBytes, schemaText } from "../../src/structures/schema.js";

/** Open a map by name in a domain. */
export function openMap<const B extends keyof BoundsTypes, T, V = T>(domain: Domain, schema: IntervalMapSchema<B, T, V>, name = "map"): IntervalMap<B, T, V> {
  return new IntervalMap<B, T, V>(new Directory(domain).open(name, schemaText(schema), { nodeBytes: nodeBytes(schema) }), schema);
}

/** Shared lists in tests, opened by name over any memory: what `Shared.list` does over its own. */

import type { Domain } from "../../src/rcu/domain.js";
import { Directory } from "../../src/shared/directory.js";
import { LIST_NODE_BYTES } from "../../src/structures/list/elements.js";
import { listSchemaText, SharedList } from "../../src/structures/list/shared-list.js";
import type { CodecBase } from "../../src/values/codec.js";

export function openList<T>(domain: Domain, codec: CodecBase<T>, name = "list"): SharedList<T> {
  return new SharedList(new Directory(domain).open(name, listSchemaText(codec), { nodeBytes: LIST_NODE_BYTES }), codec);
}

/**
 * What a struct embeds to be in a queue or on a stack (structures/queues/ says what is in the words): liburcu's `struct cds_wfcq_node` and `struct cds_lfs_node`.
 */

import type { FixedCodec } from "./codec.js";
import { embedded } from "./embedded.js";

/** Node of a `WfcQueue`. */
export const wfcqNode: FixedCodec<number> = embedded("wfcqNode", 2);

/** Node of an `LfStack`. */
export const lfsNode: FixedCodec<number> = embedded("lfsNode", 1);

/**
 * quiesce/structures: structures over addresses that you give, for people who build their own; and the interval map, which `Shared` opens by name.
 */
export type { EntryView } from "./entry-view.js";
export { KeyError } from "./errors.js";
export { IntervalMap } from "./interval-map.js";
export { formatLfStack, LF_STACK_BYTES, LFS_NODE_WORDS, LfStack } from "./queues/lfstack.js";
export { type Dequeued, formatWfcQueue, type SpliceResult, WFC_NODE_WORDS, WFC_QUEUE_BYTES, WfcQueue } from "./queues/wfcqueue.js";
export type { BoundsName, BoundsTypes, GivenKey, IntervalMapSchema, Key } from "./schema.js";

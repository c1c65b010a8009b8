/**
 * quiesce/structures: structures over addresses that you give, for people who build their own; and the interval map, which `Shared` opens by name.
 */
export type { EntryView } from "./entry-view.js";
export { KeyError } from "./errors.js";
export { IntervalMap } from "./interval-map.js";
export type { ListRef } from "./list/elements.js";
export { type ListCode, ListError } from "./list/errors.js";
export { RcuHlist } from "./list/hlist.js";
export { RcuHlistNulls } from "./list/hlist-nulls.js";
export { RcuList } from "./list/list.js";
export { type EachEntry, entryOf, LIST_POISON2, type ListLock, type ListOptions } from "./list/list-view.js";
export { SharedList } from "./list/shared-list.js";
export { formatLfStack, LF_STACK_BYTES, LFS_NODE_WORDS, LfStack } from "./queues/lfstack.js";
export { type Dequeued, WFC_NODE_WORDS } from "./queues/node-chain.js";
export { formatWfcQueue, type SpliceResult, WFC_QUEUE_BYTES, WfcQueue } from "./queues/wfcqueue.js";
export type { BoundsName, BoundsTypes, GivenKey, IntervalMapSchema, Key } from "./schema.js";

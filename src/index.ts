/**
 * quiesce: live data structures in one shared memory, read by every thread without locks.
 */
export * from "./memory/errors.js";
export type { AllocatorName } from "./memory/layout.js";
export type { MemoryReport } from "./memory/memory-report.js";
export type { Domain, DomainOptions } from "./rcu/domain.js";
export { type ContextCode, ContextError, DoubleCallError, GracePeriodTimeoutError } from "./rcu/errors.js";
export type { FlavorName, ReadIndex } from "./rcu/flavors/flavor.js";
export type { StallReport } from "./rcu/stall.js";
export type { DomainStats } from "./rcu/stats.js";
export { HandleError, SchemaError } from "./shared/errors.js";
export { type AttachOptions, Shared, type SharedHandle, type SharedOptions, type SharedStats, type WatchableWorker } from "./shared/shared.js";
export { Cell, type CellOptions, type CommitOptions, type Committed, type Copy } from "./structures/cell/cell.js";
export { ConflictError, MergeConflict, type Path } from "./structures/cell/errors.js";
export { type Merge, mergeAny, mergeLists, mergeMaps, mergeObjects, mergeSets } from "./structures/cell/merge.js";
export type { CellStats, DistanceStats } from "./structures/cell/stats.js";
export type { WatchOptions } from "./structures/changes.js";
export type { EntryView } from "./structures/entry-view.js";
export { KeyError } from "./structures/errors.js";
export { IntervalMap } from "./structures/interval-map.js";
export type { ListRef } from "./structures/list/elements.js";
export { type ListCode, ListError } from "./structures/list/errors.js";
export { SharedList } from "./structures/list/shared-list.js";
export { type EntryState, type SetOptions, SharedMap } from "./structures/map/map.js";
export type { MapSchema } from "./structures/map/schema.js";
export type { BoundsName, BoundsTypes, GivenKey, IntervalMapSchema, Key } from "./structures/schema.js";
export { bytes } from "./values/bytes.js";
export type { Codec, CodecBase, FixedCodec, VariableCodec, View } from "./values/codec.js";
export { type CodecOptions, codec } from "./values/custom.js";
export { ValueError } from "./values/errors.js";
export { f64 } from "./values/f64.js";
export { type Json, json, jsonOf } from "./values/json.js";
export { hlistHead, hlistNode, hlistNullsHead, hlistNullsNode, listHead } from "./values/list-head.js";
export { lfsNode, wfcqNode } from "./values/queue-nodes.js";
export { rcuHead } from "./values/rcu-head.js";
export { bool, i32, u8, u16, u32 } from "./values/scalars.js";
export { containerOf, type Fields, offsetOf, type StructCodec, type StructOf, type StructView, struct } from "./values/struct.js";
export { utf8 } from "./values/utf8.js";

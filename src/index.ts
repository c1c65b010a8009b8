/**
 * quiesce: live data structures in one shared memory, read by every thread without locks.
 */
export * from "./memory/errors.js";
export type { Domain, DomainStats } from "./rcu/domain.js";
export { ContextError } from "./rcu/errors.js";
export { HandleError, SchemaError } from "./shared/errors.js";
export { Shared, type SharedHandle, type SharedOptions, type SharedStats, type WatchableWorker } from "./shared/shared.js";
export type { EntryView } from "./structures/entry-view.js";
export { KeyError } from "./structures/errors.js";
export { IntervalMap } from "./structures/interval-map.js";
export type { BoundsName, BoundsTypes, GivenKey, IntervalMapSchema, Key } from "./structures/schema.js";
export type { Codec, FixedCodec, VariableCodec, View } from "./values/codec.js";
export { ValueError } from "./values/errors.js";
export { u16, u32 } from "./values/scalars.js";
export { type Fields, type StructOf, type StructView, struct } from "./values/struct.js";
export { utf8 } from "./values/utf8.js";

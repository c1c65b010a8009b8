/**
 * quiesce/rcu: grace periods and reclamation, for people who build their own structures.
 */
export type { BarrierResult, LostCallbacks } from "./barrier.js";
export type { CallbackCounts } from "./callbacks.js";
export { type CallOptions, Domain, type DomainOptions, type SectionGuard, type Synchronous, type SyncWaitOptions } from "./domain.js";
export type { Durations } from "./durations.js";
export { type ContextCode, ContextError, DoubleCallError, GracePeriodTimeoutError } from "./errors.js";
export { FLAVORS, type FlavorName, type GracePeriods, type Reader, type ReadIndex } from "./flavors/flavor.js";
export { type DomainFormat, formatDomain, rcuWords } from "./flavors/open.js";
export { RCU_HEAD_WORDS } from "./rcu-head.js";
export { ORIGIN_WORDS } from "./section-origin.js";
export { type Cookie, FIRST_SEQUENCE } from "./sequence.js";
export type { SlotStats } from "./slots.js";
export type { Staller, StallReport } from "./stall.js";
export type { DomainStats, Interval } from "./stats.js";
export { type ChromeTrace, mergeTraces, Trace } from "./trace.js";
export { type Tracepoint, type TracepointName, tracepoints } from "./tracepoints.js";
export type { WaitOptions } from "./waiter.js";

/**
 * Tracepoints, as the kernel's (include/trace/events/rcu.h), on the host's diagnostics_channel: nearly free when nobody listens, absent
 * where the host has none (browsers).
 *
 * Who subscribes is called in the midst of whatever this thread does in the library: he notes what he is told, and uses nothing shared before that has returned (queueMicrotask).
 *
 * Law table: this file owns no word.
 */

/** A channel of node:diagnostics_channel. */
export interface Tracepoint {
  readonly name: string;
  readonly hasSubscribers: boolean;
  publish(message: object): void;
  subscribe(listener: (message: unknown, name: string | symbol) => void): void;
  unsubscribe(listener: (message: unknown, name: string | symbol) => void): unknown;
}

interface Host {
  process?: { getBuiltinModule?: (name: string) => { channel?: (name: string) => Tracepoint } | undefined };
}

const SILENT: Omit<Tracepoint, "name"> = { hasSubscribers: false, publish() {}, subscribe() {}, unsubscribe() {} };

function channelOf(event: string): Tracepoint {
  const name = `quiesce:rcu:${event}`;
  const host = (globalThis as Host).process?.getBuiltinModule?.("node:diagnostics_channel");
  return host?.channel?.(name) ?? { name, ...SILENT };
}

/** What is traced. */
export type TracepointName =
  | "gracePeriodStart"
  | "gracePeriodEnd"
  | "quiescentStateReport"
  | "forcedScan"
  | "callbackQueued"
  | "callbacksRun"
  | "expedited"
  | "stall";

/** Each message has `domain` (index) beside what stands here. */
export const tracepoints: Readonly<Record<TracepointName, Tracepoint>> = {
  /** A grace period was asked for: { sequence }. */
  gracePeriodStart: channelOf("grace-period-start"),
  /** One was found to be over: { sequence }. */
  gracePeriodEnd: channelOf("grace-period-end"),
  /** A thread recorded or reported a quiescent state that somebody may wait for: { slot, sequence }. */
  quiescentStateReport: channelOf("quiescent-state-report"),
  /** A waiter looked at every slot that had not reported: { sequence }. */
  forcedScan: channelOf("forced-scan"),
  /** { waiting } callbacks of this thread, with the new one. */
  callbackQueued: channelOf("callback-queued"),
  /** A batch of callbacks was run: { count, waiting, milliseconds }. */
  callbacksRun: channelOf("callbacks-run"),
  /** An expedited grace period was asked for: { sequence }. */
  expedited: channelOf("expedited"),
  /** A grace period takes too long: { report, stalls }. */
  stall: channelOf("stall"),
};

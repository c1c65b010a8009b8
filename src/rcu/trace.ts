/**
 * A trace: what the tracepoints say in this thread, as JSON that Perfetto and chrome://tracing open (the Trace Event Format).
 *
 * Each thread records itself; `mergeTraces` puts several together.
 *
 * One look may find several grace periods over, and says only the newest; and several threads may ask for the same one. So spans are matched when a trace is
 * given out: a span begins once, and ends at the first end of its own or a later sequence.
 *
 * Law table: this file owns no word.
 */

import { notBefore } from "./sequence.js";
import { type Tracepoint, type TracepointName, tracepoints } from "./tracepoints.js";

/** An event of the Trace Event Format; times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly cat: "rcu";
  /** i: an instant; b and e: begin and end of what overlaps others; X: something with a duration; M: metadata. */
  readonly ph: "i" | "b" | "e" | "X" | "M" | "C";
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly [more: string]: unknown;
}

/** What Perfetto opens. */
export interface ChromeTrace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
}

/** Events kept at most: a trace that is forgotten must not fill the memory. */
const MOST_EVENTS = 1_000_000;

/** A recording of this thread. */
export class Trace {
  readonly #thread: number;
  readonly #events: TraceEvent[] = [];
  readonly #stop: (() => void)[] = [];
  /** Events that came after a million. */
  dropped = 0;

  /**
   * Begin to record.
   * @param thread the number that tells this thread's events from others'
   * @param name shown for the thread
   */
  constructor(thread = 0, name = `thread ${thread}`) {
    this.#thread = thread;
    this.#events.push({ ...this.#base("thread_name", "M"), args: { name } });
    for (const [event, tracepoint] of Object.entries(tracepoints)) this.#listen(event as TracepointName, tracepoint);
  }

  #base(name: string, ph: TraceEvent["ph"]): TraceEvent {
    return { name, cat: "rcu", ph, ts: (performance.timeOrigin + performance.now()) * 1000, pid: 1, tid: this.#thread };
  }

  #listen(event: TracepointName, tracepoint: Tracepoint): void {
    const listener = (message: unknown): void => this.#add(event, message as Record<string, unknown>);
    tracepoint.subscribe(listener);
    this.#stop.push(() => tracepoint.unsubscribe(listener));
  }

  #add(event: TracepointName, message: Record<string, unknown>): void {
    if (this.#events.length >= MOST_EVENTS) {
      this.dropped++;
      return;
    }
    const span = `domain ${String(message["domain"])}, grace period ${String(message["sequence"])}`;
    // Begun here and ended, perhaps, in another thread: the id joins them.
    if (event === "gracePeriodStart" || event === "gracePeriodEnd") {
      const id = `${String(message["domain"])}:${String(message["sequence"])}`;
      this.#events.push({ ...this.#base(span, event === "gracePeriodStart" ? "b" : "e"), id, args: message });
    } else if (event === "callbacksRun") {
      const dur = (message["milliseconds"] as number) * 1000;
      const base = this.#base(event, "X");
      this.#events.push({ ...base, ts: base.ts - dur, dur, args: message });
    } else this.#events.push({ ...this.#base(event, "i"), s: "t", args: message });
  }

  /** What was recorded so far. */
  get trace(): ChromeTrace {
    return { traceEvents: matched(this.#events), displayTimeUnit: "ms" };
  }

  /** Record no more. Gives what was recorded. */
  stop(): ChromeTrace {
    for (const stop of this.#stop.splice(0)) stop();
    return this.trace;
  }
}

/** The traces of several threads in one. */
export function mergeTraces(traces: readonly ChromeTrace[]): ChromeTrace {
  return { traceEvents: matched(traces.flatMap(({ traceEvents }) => traceEvents).sort((a, b) => a.ts - b.ts)), displayTimeUnit: "ms" };
}

/** Spans that begin once, and end with the first end of their own or a later sequence. What is matched already stays as it is. */
function matched(events: readonly TraceEvent[]): TraceEvent[] {
  const open = new Map<unknown, TraceEvent>();
  const isOver = (begun: TraceEvent, end: TraceEvent): boolean => {
    const [ofBegun, ofEnd] = [begun["args"] as Span, end["args"] as Span];
    return ofBegun.domain === ofEnd.domain && notBefore(ofEnd.sequence, ofBegun.sequence);
  };
  return events.flatMap((event) => {
    const id = event["id"];
    if (event.ph === "b") {
      if (open.has(id)) return [];
      open.set(id, event);
    }
    if (event.ph !== "e") return [event];
    const over = [...open.values()].filter((begun) => isOver(begun, event));
    for (const begun of over) open.delete(begun["id"]);
    return over.map((begun) => ({ ...event, name: begun.name, id: begun["id"] }));
  });
}

/** What a grace period's events say. */
interface Span {
  readonly domain: number;
  readonly sequence: number;
}

/**
 * A trace: what the tracepoints say in this thread, as JSON that Perfetto and chrome://tracing open (the Trace Event Format).
 *
 * Each thread records itself; `mergeTraces` puts several together. A grace period is shown as a span from where it was asked for to where it was first found to be
 * over, often by another thread: so its end is seen in the merged trace only.
 *
 * Law table: this file owns no word.
 */

import { notBefore } from "./sequence.js";
import { type Tracepoint, type TracepointName, tracepoints } from "./tracepoints.js";

/** An event of the Trace Event Format; times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat: "rcu";
  /** i: an instant; b and e: begin and end of what may overlap others; X: something with a duration; M: metadata. */
  readonly ph: "i" | "b" | "e" | "X" | "M";
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly id?: string;
  readonly dur?: number;
  readonly s?: "t";
  readonly args?: Readonly<Record<string, unknown>>;
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

  #add(event: TracepointName, args: Record<string, unknown>): void {
    if (this.#events.length >= MOST_EVENTS) {
      this.dropped++;
      return;
    }
    const instant: TraceEvent = { ...this.#base(event, "i"), s: "t", args };
    if (event !== "callbacksRun") this.#events.push(instant);
    else {
      const dur = (args.milliseconds as number) * 1000;
      this.#events.push({ ...this.#base(event, "X"), ts: instant.ts - dur, dur, args });
    }
  }

  /** What was recorded so far. */
  get trace(): ChromeTrace {
    return mergeTraces([{ traceEvents: [...this.#events], displayTimeUnit: "ms" }]);
  }

  /** Record no more. Gives what was recorded. */
  stop(): ChromeTrace {
    for (const stop of this.#stop.splice(0)) stop();
    return this.trace;
  }
}

/** The traces of several threads in one. */
export function mergeTraces(traces: readonly ChromeTrace[]): ChromeTrace {
  const events = traces.flatMap(({ traceEvents }) => traceEvents.filter(({ ph }) => ph !== "b" && ph !== "e")).sort((a, b) => a.ts - b.ts);
  return { traceEvents: [...events, ...spans(events)].sort((a, b) => a.ts - b.ts), displayTimeUnit: "ms" };
}

/** Grace periods from their start to the first event that says that it, or a later one, is over. */
function spans(events: readonly TraceEvent[]): TraceEvent[] {
  const open = new Map<unknown, TraceEvent[]>();
  const found: TraceEvent[] = [];
  for (const event of events) {
    const { domain, sequence } = event.args ?? {};
    if (event.name === "gracePeriodStart") open.set(domain, [...(open.get(domain) ?? []), event]);
    if (event.name !== "gracePeriodEnd") continue;
    const isOver = ({ args }: TraceEvent): boolean => notBefore(sequence as number, args?.sequence as number);
    const begun = open.get(domain) ?? [];
    open.set(
      domain,
      begun.filter((start) => !isOver(start)),
    );
    for (const start of begun.filter(isOver)) {
      const span = { ...start, name: `grace period of domain ${String(domain)}`, id: `${String(domain)}:${String(start.args?.sequence)}:${start.tid}` };
      found.push({ ...span, ph: "b" }, { ...span, ph: "e", ts: event.ts });
    }
  }
  return found;
}

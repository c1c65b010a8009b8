/** Tracepoints and traces on each flavor: what is said when, and JSON that a viewer of the Trace Event Format takes. */

import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { type ChromeTrace, mergeTraces, Trace } from "../../src/rcu/trace.js";
import { type TracepointName, tracepoints } from "../../src/rcu/tracepoints.js";
import { end, onEach, until } from "../support/each-flavor.js";

type Message = Record<string, unknown> & { event: TracepointName };

/** All that is said while `fn` runs. */
async function heard(fn: (messages: readonly Message[]) => unknown): Promise<Message[]> {
  const messages: Message[] = [];
  const listeners = (Object.keys(tracepoints) as TracepointName[]).map((event) => {
    const listener = (message: unknown): void => void messages.push({ ...(message as object), event });
    tracepoints[event].subscribe(listener);
    return () => tracepoints[event].unsubscribe(listener);
  });
  try {
    await fn(messages);
  } finally {
    for (const stop of listeners) stop();
  }
  return messages;
}

test("tracepoints are channels of the platform, called quiesce:rcu:...", () => {
  for (const tracepoint of Object.values(tracepoints)) {
    assert.match(tracepoint.name, /^quiesce:rcu:[a-z]+(-[a-z]+)*$/);
    assert.equal(channel(tracepoint.name), tracepoint);
    assert.equal(tracepoint.hasSubscribers, false);
  }
  assert.equal(new Set(Object.values(tracepoints).map(({ name }) => name)).size, 8);
});

onEach("a grace period says that it starts, and that it has ended", async ({ attach }) => {
  const domain = attach();
  const messages = await heard(() => domain.synchronizeSync());
  const [start] = messages.filter(({ event }) => event === "gracePeriodStart");
  const ends = messages.filter(({ event }) => event === "gracePeriodEnd");
  assert.equal(start?.domain, 0);
  assert.ok(ends.some(({ sequence }) => (((sequence as number) - (start?.sequence as number)) | 0) >= 0));
});

onEach("callbacks say that they are queued, and that they were run", async ({ attach }) => {
  const domain = attach();
  const messages = await heard(async () => {
    for (let i = 0; i < 3; i++) domain.call(() => {});
    await domain.barrier();
  });
  assert.deepEqual(
    messages.filter(({ event }) => event === "callbackQueued").map(({ waiting }) => waiting),
    [1, 2, 3],
  );
  const run = messages.filter(({ event }) => event === "callbacksRun");
  assert.deepEqual([run.length, run[0]?.count, run[0]?.waiting], [1, 3, 0]);
  assert.ok((run[0]?.milliseconds as number) >= 0);
});

onEach(
  "a reader's quiescent state is told, with its slot",
  async ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    const messages = await heard(() => {
      reader.read(() => {});
      const cookie = updater.startPoll();
      updater.pollState(cookie);
      reader.quiescent();
      assert.equal(updater.pollState(cookie), true);
    });
    assert.ok(messages.some(({ event, slot }) => event === "quiescentStateReport" && slot === 0));
  },
  { flavors: ["event-loop", "tree"] },
);

onEach(
  "a wait that takes long scans by force, and says so",
  async ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    const index = reader.readLock();
    await heard(async (messages) => {
      const waiting = updater.synchronize();
      await until(() => messages.some(({ event }) => event === "forcedScan"), "a scan by force");
      end(reader, index);
      await waiting;
    });
  },
  { flavors: ["event-loop", "tree"] },
);

onEach("a stall says who, and reaches onStall, stats() and the process", async ({ attach, flavor }) => {
  const reader = attach();
  reader.nameThread("a reader");
  const reports: string[] = [];
  const updater = attach({ stallTimeout: 30, onStall: ({ message }) => void reports.push(message) });
  const warnings: string[] = [];
  const listener = ({ name, message }: Error): void => void (name === "QuiesceStallWarning" && warnings.push(message));
  process.on("warning", listener);
  const index = reader.readLock();
  const messages = await heard(async () => {
    const waiting = updater.synchronize();
    await until(() => reports.length > 0, "a report");
    end(reader, index);
    await waiting;
    await until(() => warnings.length >= reports.length, "its warning, which comes a tick later");
  });
  process.off("warning", listener);
  const stall = messages.find(({ event }) => event === "stall")?.report as { slots: { name: string; lasted: number }[]; waited: number };
  assert.deepEqual(
    stall.slots.map(({ name }) => name),
    ["a reader"],
  );
  // The clocks differ by a ms, and the phase flavor times a section from its turn's end.
  assert.ok(stall.waited >= 30 && (stall.slots[0]?.lasted as number) >= (flavor === "phase" ? 0 : 29));
  assert.match(reports[0] as string, /It waits for thread 1 "a reader" in slot 0/);
  assert.deepEqual(warnings, reports);
  assert.equal(updater.stats().stalls, reports.length);
});

/** What any trace must be. */
function checkTrace(trace: ChromeTrace): { begun: string[]; ended: string[] } {
  const { traceEvents } = JSON.parse(JSON.stringify(trace)) as { traceEvents: Record<string, unknown>[] };
  const open = new Set<string>();
  const [begun, ended]: [string[], string[]] = [[], []];
  let last = 0;
  for (const event of traceEvents) {
    assert.equal(typeof event.name, "string");
    for (const word of ["ts", "pid", "tid"]) assert.ok(Number.isFinite(event[word]), `${word} of ${JSON.stringify(event)}`);
    if (event.ph !== "X") {
      assert.ok((event.ts as number) >= last, "in the order of time");
      last = event.ts as number;
    }
    const id = event.id as string;
    if (event.ph === "b") {
      assert.match(id, /^\d+:\d+$/);
      assert.ok(!open.has(id), `${id} begins twice`);
      open.add(id);
      begun.push(id);
    } else if (event.ph === "e") {
      assert.ok(open.delete(id), `${id} ends and had not begun`);
      ended.push(id);
    } else if (event.ph === "i") assert.equal(event.s, "t");
    else if (event.ph === "X") assert.ok((event.dur as number) >= 0);
    else assert.deepEqual([event.ph, event.name], ["M", "thread_name"]);
  }
  return { begun, ended };
}

onEach("a trace has each grace period as a span that ends, also when one look ends several", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const trace = new Trace(7, "the updater");
  const index = reader.readLock();
  for (let i = 0; i < 3; i++) updater.startPoll();
  updater.call(() => {});
  end(reader, index);
  await updater.barrier();
  updater.synchronizeSync();
  updater.synchronizeSync();
  const recorded = trace.stop();
  const { begun, ended } = checkTrace(recorded);
  assert.ok(begun.length >= 3);
  assert.deepEqual(ended.toSorted?.() ?? [...ended].sort(), begun.toSorted?.() ?? [...begun].sort());
  assert.deepEqual((recorded.traceEvents[0] as unknown as { args: unknown }).args, { name: "the updater" });
  assert.ok(recorded.traceEvents.every(({ tid }) => tid === 7));
  updater.synchronizeSync();
  assert.deepEqual(trace.trace, recorded, "nothing is recorded after stop()");
});

test("traces of two threads become one, in order; a span begun in one ends in the other", () => {
  const event = (tid: number, ph: string, ts: number, sequence: number): object => ({
    ...{ name: `grace period ${sequence}`, cat: "rcu", ph, ts, pid: 1, tid, id: `0:${sequence}` },
    args: { domain: 0, sequence },
  });
  const traceOf = (...traceEvents: object[]): ChromeTrace => ({ traceEvents, displayTimeUnit: "ms" }) as unknown as ChromeTrace;
  const wrap = 2 ** 32;
  const merged = mergeTraces([
    traceOf(event(1, "b", 10, wrap - 3), event(1, "b", 30, wrap - 1), event(1, "b", 50, 1)),
    traceOf(event(2, "b", 31, wrap - 1), event(2, "e", 40, wrap - 1), event(2, "e", 60, 1)),
  ]);
  assert.deepEqual(checkTrace(merged), { begun: [`0:${wrap - 3}`, `0:${wrap - 1}`, "0:1"], ended: [`0:${wrap - 3}`, `0:${wrap - 1}`, "0:1"] });
  assert.deepEqual(mergeTraces([merged]), merged, "merging what is merged changes nothing");
});

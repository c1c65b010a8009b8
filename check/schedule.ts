/**
 * Schedules: as a short string that `replay` runs again, and as text to read.
 *
 * The string is the options that matter, then thread letters with run lengths: `p:a3b12a` is three
 * scheduled steps of the first thread, twelve of the second, one of the first, with plain accesses
 * as scheduling points. Options: p plain accesses visible, t timeouts may fire at any time, s spin
 * loops explored.
 */

import type { Address } from "../src/memory/address.js";
import { type Log, Op, opNames } from "./operation.js";
import type { Path } from "./reduction.js";
import type { ExploreOptions, Scenario } from "./scenario.js";
import type { ScheduledMemory } from "./scheduled-memory.js";

export function encodeSchedule(threads: readonly number[], options: ExploreOptions): string {
  let flags = "";
  if (options.plain === "visible") flags += "p";
  if (options.timeouts === "any") flags += "t";
  if (options.spin === "explore") flags += "s";
  let runs = "";
  for (let i = 0, j = 0; i < threads.length; i = j) {
    while (j < threads.length && threads[j] === threads[i]) j++;
    runs += threadName(threads[i] as number) + (j - i > 1 ? j - i : "");
  }
  return flags === "" ? runs : `${flags}:${runs}`;
}

export function decodeSchedule(schedule: string): { threads: number[]; options: ExploreOptions } {
  const match = /^(?:([pts]+):)?((?:[a-z]\d*)*)$/.exec(schedule);
  if (match === null) throw new RangeError(`not a schedule: "${schedule}". It looks like "a3b12a" or "p:a3b".`);
  const flags = match[1] ?? "";
  const threads: number[] = [];
  for (const [, letter, length] of (match[2] as string).matchAll(/([a-z])(\d*)/g)) {
    const thread = (letter as string).charCodeAt(0) - 97;
    for (let n = length === "" ? 1 : Number(length); n > 0; n--) threads.push(thread);
  }
  return {
    threads,
    options: {
      plain: flags.includes("p") ? "visible" : "invisible",
      timeouts: flags.includes("t") ? "any" : "last-resort",
      spin: flags.includes("s") ? "explore" : "park",
    },
  };
}

/** Threads are called by letter, in schedules and in text. */
export function threadName(thread: number): string {
  return String.fromCharCode(97 + thread);
}

export function labelOf(scenario: Scenario, address: number): string {
  return scenario.label?.(address as Address) ?? `[${address}]`;
}

/** One operation of a thread and, if it was performed, what it gave. */
export function describe(scenario: Scenario, log: Log, i: number, performed: boolean): string {
  const op = log.op[i] as Op;
  const label = labelOf(scenario, log.address[i] as number);
  const x = log.x[i] as number;
  const y = log.y[i] as number;
  const value = log.value[i] as number;
  const name = opNames[op] as string;
  const gives = (text: string | number): string => (performed ? ` -> ${text}` : "");
  switch (op) {
    case Op.load:
    case Op.read:
      return `${name} ${label}${gives(value)}`;
    case Op.store:
    case Op.write:
      return `${name} ${label} = ${x}`;
    case Op.exchange:
    case Op.add:
    case Op.and:
    case Op.or:
      return `${name} ${label}, ${x}${gives(`was ${value}`)}`;
    case Op.compareExchange:
      return `${name} ${label}, ${x} to ${y}${gives(value === (x | 0) ? "done" : `not: is ${value}`)}`;
    case Op.wait:
      return `wait ${label} while ${x}${y === 1 ? " (with a timeout)" : ""}${gives(value === 0 ? "not equal" : "sleeps")}`;
    case Op.wake:
      return `wake ${label}${gives(value === 0 ? "ok" : "timed out")}`;
    case Op.notify:
      return `notify ${label}${gives(`${value} woken`)}`;
    case Op.fill:
      return `fill ${label}, ${x} words = ${y}`;
    case Op.copy:
      return `copy ${y} words from ${labelOf(scenario, x)} to ${label}`;
    case Op.readBytes:
    case Op.writeBytes:
      return `${name} ${label}, ${x} bytes`;
    case Op.end:
      return "ends";
    default:
      return `${name} ${label}, ${x} words`;
  }
}

/** One line for each scheduled step of the execution, with the plain accesses that followed it. */
export function stepLines(scenario: Scenario, path: Path, depth: number, threads: readonly ScheduledMemory[], visiblePlain: boolean): string[] {
  const lines: string[] = [];
  const next = threads.map(() => 0);
  // Where in its log the thread's first step at or after `d` is.
  const place = (t: number, d: number): number => {
    for (let later = d; later < depth; later++) if (path.thread[later] === t) return path.position[later] as number;
    return (threads[t] as ScheduledMemory).end;
  };
  const upTo = (t: number, end: number): void => {
    const { log } = threads[t] as ScheduledMemory;
    for (let i = next[t] as number; i < end; i++) {
      const plain = (log.op[i] as Op) >= Op.read && !visiblePlain;
      lines.push(`${threadName(t)} ${plain ? "  " : ""}${describe(scenario, log, i, true)}`);
    }
    next[t] = Math.max(end, next[t] as number);
  };
  for (let t = 0; t < threads.length; t++) upTo(t, place(t, 0));
  for (let d = 0; d < depth; d++) upTo(path.thread[d] as number, place(path.thread[d] as number, d + 1));
  return lines;
}

/** Where the unfinished threads stand. */
export function standing(scenario: Scenario, threads: readonly ScheduledMemory[]): string {
  const parts: string[] = [];
  for (const { log, end, index } of threads) {
    if (log.op[end] === Op.end) continue;
    const asleep = log.op[end] === Op.wake;
    const how = asleep ? `sleeps on ${labelOf(scenario, log.address[end] as number)}` : `is at "${describe(scenario, log, end, false)}"`;
    parts.push(`${threadName(index)} ${how}`);
  }
  return parts.join(", ");
}

/** All there is to print of a failure. */
export function failureText(name: string, message: string, steps: readonly string[], stacks: readonly string[], schedule: string): string {
  const short: string[] = [];
  for (let i = 0, j = 0; i < steps.length; i = j) {
    while (j < steps.length && steps[j] === steps[i]) j++;
    short.push(`  ${steps[i]}${j - i > 1 ? ` (${j - i} times)` : ""}`);
  }
  const shown = short.length <= 300 ? short : [...short.slice(0, 100), `  ... ${short.length - 250} more`, ...short.slice(-150)];
  return [`${name}: ${message}`, ...shown, ...stacks, `replay: ${schedule}`].join("\n");
}

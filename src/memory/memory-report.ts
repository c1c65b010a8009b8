/**
 * What the debug mode of the allocators says: reports of damage, where an object came from, what leaks.
 *
 * Law table: this file owns no word.
 */

import type { Address } from "./address.js";
import { callerIn } from "./call-site.js";

/** Who took an object, or gave it back, and where. */
export interface Origin {
  /** The thread's number. */
  readonly thread: number;
  /** The name it had; empty when it had none. */
  readonly name: string;
  /** How long ago, in ms. */
  readonly ago: number;
  /** The stack; undefined when it was not kept (`stacks`), or the call log was full. */
  readonly stack: string | undefined;
}

/** What is known of an object, or a block of pages. */
export interface ObjectHistory {
  readonly address: Address;
  /** Bytes asked for. */
  readonly bytes: number;
  /** The cache's name; "pages" for a block of pages. */
  readonly cache: string;
  /** "changing": being taken or given back, perhaps by a thread that died in it; or never taken. */
  readonly state: "live" | "freed" | "changing";
  readonly allocated: Origin | undefined;
  readonly freed: Origin | undefined;
}

/** What can be wrong. */
export type MemoryFault =
  | "red-zone-left"
  | "red-zone-right"
  | "write-after-free"
  /** Reads, seen by `WatchingMemory` only. */
  | "uninitialised-read"
  | "read-after-free"
  | "out-of-bounds-read";

/** One fault. */
export interface MemoryReport {
  readonly fault: MemoryFault;
  readonly object: ObjectHistory;
  /** First byte of what is damaged, or was read, counted from the object's start; negative in front of it. */
  readonly offset: number;
  /** Bytes from the first to the last that is damaged. */
  readonly bytes: number;
  /** What stands there now, 16 bytes at most. */
  readonly found: readonly number[];
  /** When it was found: "alloc", "free", "retire", "quarantine", "check", "read". */
  readonly during: string;
  /** The thread that found it, and its stack there. */
  readonly thread: number;
  readonly stack: string;
  /** All of it as text. */
  readonly message: string;
}

/** Live objects of one owner, taken at one place. */
export interface Leak {
  readonly objects: number;
  /** Bytes asked for. */
  readonly bytes: number;
  readonly cache: string;
  /** Tag of kmalloc and of pages; 0 is nobody. */
  readonly tag: number;
  /** The thread that took them. */
  readonly thread: number;
  readonly name: string;
  /** Whether that thread has no slot any more: it has left, or died. */
  readonly isGone: boolean;
  /** Age of the oldest, in ms. */
  readonly oldest: number;
  readonly stack: string | undefined;
}

/** Which live objects are leaks. */
export interface LeakOptions {
  /** Only those of threads that have left or died. */
  readonly gone?: boolean;
  /** Only those of this tag. */
  readonly tag?: number;
  /** Only those at least so old, in ms. */
  readonly age?: number;
}

/** The debug mode of one thread's heap. */
export interface MemoryDebug {
  /** Told of each damage that is found, besides the process warning. */
  onReport: ((report: MemoryReport) => void) | undefined;
  /** Whether each report is a process warning too; default true. */
  warns: boolean;
  /** Whether this thread keeps the stack of each call; most of what debug mode costs. Default true. */
  stacks: boolean;
  /** Reports made in this thread. */
  readonly reports: number;
  /** Bytes that this thread keeps back before they are used anew, at most; 0 for none. Default a 64th of the arena, at most 1 MiB. */
  quarantineLimit: number;
  /** Bytes that this thread keeps back now. */
  readonly quarantined: number;
  /** What is known of the object that the address lies in or beside, undefined when it lies in none. */
  historyOf(address: Address): ObjectHistory | undefined;
  /** Words of a live object that nobody has written since it was taken, as far as can be told: they hold 0x5a5a5a5a. Numbers from its start. */
  unwritten(address: Address): number[];
  /** Every damage in the arena; nothing is mended. Other threads may go on. */
  validate(): MemoryReport[];
  /** Live objects by owner and call site, most bytes first. */
  leaks(options?: LeakOptions): Leak[];
  /** As `leaks`, as a table. */
  leakTable(options?: LeakOptions): string;
}

const origin = (what: string, { thread, name, ago, stack }: Origin): string =>
  `${what} ${ago} ms ago by thread ${thread}${name === "" ? "" : ` "${name}"`}${stack === undefined ? " (place not kept)" : ` at\n${stack}`}`;

/** Where an object came from, in lines. */
export function historyText({ allocated, freed, state }: ObjectHistory): string {
  const lines = [allocated === undefined ? "never allocated, or not known where" : origin("allocated", allocated)];
  if (freed !== undefined) lines.push(origin("freed", freed));
  if (state === "changing" && allocated !== undefined) lines.push("a thread was taking it or giving it back");
  return lines.join("\n");
}

const FAULTS: Readonly<Record<MemoryFault, string>> = {
  "red-zone-left": "write before the start of an object",
  "red-zone-right": "write beyond the end of an object",
  "write-after-free": "write after free",
  "uninitialised-read": "read of a word that was never written",
  "read-after-free": "read after free",
  "out-of-bounds-read": "read beside an object",
};

/** Hexadecimal bytes. */
const hex = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/** A report as text. */
export function reportText({ fault, object, offset, bytes, found, during, thread, stack }: Omit<MemoryReport, "message">): string {
  const where = `byte ${offset} of ${object.address}, ${object.bytes} bytes of ${object.cache}`;
  const more = bytes > found.length ? " .." : "";
  return `quiesce: ${FAULTS[fault]}: ${bytes} bytes at ${where}: ${hex(found)}${more}; found in ${during} by thread ${thread} ${callerIn(stack)}\n${historyText(object)}`;
}

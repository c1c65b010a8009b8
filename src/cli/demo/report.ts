/**
 * What people read: the progress line, the table, the summary.
 */

import type { WriteStream } from "node:tty";
import type { Result } from "./result.js";

/** A stream that may be a terminal. */
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY">>;

/** One line of the table: what happened since the line before, and how things stand. */
export interface Sample {
  readonly at: number;
  readonly seconds: number;
  readonly lookups: number;
  readonly nsPerLookup: number;
  readonly updates: number;
  readonly gracePeriods: number;
  readonly p50: number;
  readonly p99: number;
  readonly retired: number;
  readonly bytesUsed: number;
  readonly bytesIfCopied: number;
  readonly wrong: number;
}

type Paint = (text: string) => string;

export interface Palette {
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
}

/** Colours for a terminal that may have them (no-color.org), else none. */
export function paletteFor(output: Output, env: NodeJS.ProcessEnv = process.env): Palette {
  const coloured = output.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  const paint =
    (code: number): Paint =>
    (text) =>
      coloured ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { dim: paint(2), good: paint(32), bad: paint(31) };
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 12345.6 as 12,346. */
export function count(value: number): string {
  return whole.format(value);
}

/** So many in so many seconds, as a rate; nothing in no time is no rate at all. */
function rate(value: number, seconds: number): string {
  return count(seconds > 0 ? value / seconds : 0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function time(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

const columns: readonly (readonly [name: string, width: number, cell: (sample: Sample) => string])[] = [
  ["time", 7, (sample) => time(sample.at)],
  ["lookups/s", 12, (sample) => rate(sample.lookups, sample.seconds)],
  ["ns/lookup", 10, (sample) => count(sample.nsPerLookup)],
  ["updates/s", 10, (sample) => rate(sample.updates, sample.seconds)],
  ["gp/s", 7, (sample) => rate(sample.gracePeriods, sample.seconds)],
  ["gp p50 us", 10, (sample) => count(sample.p50)],
  ["p99 us", 8, (sample) => count(sample.p99)],
  ["retired", 8, (sample) => count(sample.retired)],
  ["memory", 10, (sample) => megabytes(sample.bytesUsed)],
  ["copies", 10, (sample) => megabytes(sample.bytesIfCopied)],
  ["wrong", 6, (sample) => count(sample.wrong)],
];

export function tableHeader(palette: Palette): string {
  return palette.dim(columns.map(([name, width]) => name.padStart(width)).join(" "));
}

export function tableLine(sample: Sample, palette: Palette): string {
  const cells = columns.map(([, width, cell]) => cell(sample).padStart(width));
  const last = cells.pop() as string;
  return `${cells.join(" ")} ${sample.wrong > 0 ? palette.bad(last) : last}`;
}

/** The progress line while loading: rewritten in place on a terminal, else only at its ends. */
export class Progress {
  readonly #output: Output;
  #next = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  begin(text: string): void {
    this.#output.write(this.#output.isTTY ? text : `${text}\n`);
  }

  update(text: string): void {
    if (!this.#output.isTTY || performance.now() < this.#next) return;
    this.#next = performance.now() + 50;
    this.#output.write(`\r${text}\u001b[K`);
  }

  end(text: string): void {
    this.#output.write(this.#output.isTTY ? `\r${text}\u001b[K\n` : `${text}\n`);
  }

  /** No end that there is anything to say of. */
  abandon(): void {
    if (this.#output.isTTY) this.#output.write("\r\u001b[K");
  }
}

export function readersText(threads: number): string {
  return `${count(threads)} ${threads === 1 ? "reader" : "readers"}`;
}

/** What was loaded, in a line. */
export function loadedText(result: Result): string {
  return (
    `Loaded ${count(result.rows)} rows (${count(result.rowsIpv4)} IPv4, ${count(result.rowsIpv6)} IPv6) in ${time(result.loadSeconds)}; ` +
    `${count(result.trimmed)} (${count(result.trimmedIpv4)} IPv4, ${count(result.trimmedIpv6)} IPv6) overlapped the row before, which was trimmed, since the later row wins; ` +
    `${count(result.entries)} ranges held`
  );
}

/** The summary, in plain words. */
export function summary(result: Result, palette: Palette): string {
  const { gpMicros, changes } = result;
  const readers = readersText(result.threads);
  const saved = result.bytesUsed / result.bytesIfCopied;
  const verdict =
    result.wrong === 0
      ? palette.good(`Every answer was checked${result.audited ? ", and at the end every range as the writer left it" : ""}: 0 wrong.`)
      : palette.bad(`WRONG ANSWERS: ${count(result.wrong)}. What they were stands above, on stderr.`);
  const lines = [
    `${result.interrupted ? "Interrupted after" : "Ran for"} ${time(result.seconds)} with seed ${result.seed}.`,
    `${readers} made ${count(result.lookups)} lookups: ${rate(result.lookups, result.seconds)} a second in all, ` +
      `${count(result.nsPerLookup)} ns each on a thread, choosing the address and checking the answer included.`,
    `Meanwhile one writer made ${count(result.updates)} updates (${rate(result.updates, result.seconds)} a second; ${count(result.updatesAsked)} asked): ` +
      `${count(changes.splits)} splits, ${count(changes.rejoins)} rejoins, ${count(changes.moves)} moves, ` +
      `${count(changes.withdrawals)} withdrawals, ${count(changes.readditions)} re-additions.`,
    `${count(result.gracePeriods)} grace periods. Waiting for one took at most ${count(gpMicros.p50)} us half of the time, ` +
      `${count(gpMicros.p99)} us 99 times of 100, ${count(gpMicros.max)} us at worst. Retired and still waiting: ${count(result.retiredPending)}.`,
    `Memory: ${megabytes(result.bytesUsed)}, shared by all. A copy for each thread that uses the data (${readers} and the writer), ` +
      `as sorted typed arrays of lo, hi, country and version, would take ${megabytes(result.bytesIfCopied)}: ` +
      (saved <= 1 ? `${(1 / saved).toFixed(1)} times as much.` : `${(1 / saved).toFixed(2)} of that, so here sharing costs more.`),
    verdict,
  ];
  if (result.violations.length > 0) lines.push(palette.bad(`The check of the shared memory found ${count(result.violations.length)} violations (on stderr).`));
  else lines.push("The check of the shared memory found nothing amiss.");
  for (const failure of result.failures) lines.push(palette.bad(`Failed: ${failure}`));
  return lines.join("\n");
}

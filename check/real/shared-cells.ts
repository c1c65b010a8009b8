/**
 * Shadow cells that real threads share: a second SharedArrayBuffer beside the memory that is checked.
 *
 *   header | clocks (T x T) | thread ids (T) | checks made (T) | locks | cells of each word | call sites | report
 *
 * All of it has its place from the start; the operating system commits what is touched.
 *
 * Law table
 *   word                       class
 *   REPORT, JOINED, SITES_END, locks   atomic
 *   clocks row t, thread id t, checks t   private to thread t; the one that started it reads them after its end
 *   cells of a word            locked by the lock of the word's stripe
 *   a call site                immutable once its number is in a cell
 *   report                     immutable once REPORT says so
 */

import { cellsOfWord, type ShadowCells } from "../shadow-cells.js";

/** Offsets of the header's words. */
const HeaderWord = { REPORT: 0, JOINED: 1, SITES_END: 2 } as const;
const HEADER_WORDS = 16;
/** Words of memory that have a lock together: what is touched together stands together. */
const STRIPE_SHIFT = 4;
const LOCKS = 4096;
const SITE_WORDS = 2 ** 20;
const REPORT_WORDS = 2 ** 14;
/** Tries before a thread sleeps a while for a lock: its owner may have lost its processor. */
const SPINS = 200;
/** How long a lock may be held, in ms: some microseconds are usual. */
const HELD_TOO_LONG = 60_000;

const ReportState = { NONE: 0, WRITING: 1, READY: 2 } as const;

export class SharedCells implements ShadowCells {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly words: number;
  readonly keepsSites = true;
  readonly clocks: number;
  readonly #ids: number;
  readonly #checks: number;
  readonly #locks: number;
  readonly #cells: number;
  readonly #sites: number;
  readonly #report: number;
  readonly #stride: number;
  readonly #ints: Int32Array;

  /** @param buffer one that was made with the same figures */
  constructor(threads: number, words: number, buffer?: SharedArrayBuffer) {
    this.threads = threads;
    this.words = words;
    this.#stride = cellsOfWord(threads, true);
    this.clocks = HEADER_WORDS;
    this.#ids = this.clocks + threads * threads;
    this.#checks = this.#ids + threads;
    this.#locks = this.#checks + threads;
    this.#cells = this.#locks + LOCKS;
    this.#sites = this.#cells + words * this.#stride;
    this.#report = this.#sites + SITE_WORDS;
    const size = this.#report + REPORT_WORDS;
    if (size > 2 ** 29) throw new RangeError(`${words} words checked for ${threads} threads take ${size * 4} bytes of shadow memory: check a smaller arena.`);
    this.buffer = buffer ?? new SharedArrayBuffer(size * 4);
    this.#ints = new Int32Array(this.buffer);
    if (buffer !== undefined) return;
    this.#ints[HeaderWord.SITES_END] = this.#sites;
    // Epochs start at 1, so that what was done before the first thread joined (epoch 0) is before everything.
    for (let t = 0; t < threads; t++) this.#ints[this.clocks + t * threads + t] = 1;
  }

  get(index: number): number {
    return this.#ints[index] as number;
  }

  set(index: number, value: number): void {
    this.#ints[index] = value;
  }

  of(address: number): number {
    return this.#cells + address * this.#stride;
  }

  lock(address: number): void {
    const lock = this.#lockOf(address);
    let deadline = 0;
    for (let tries = 0; Atomics.compareExchange(this.#ints, lock, 0, 1) !== 0; tries++) {
      if (tries < SPINS) continue;
      Atomics.wait(this.#ints, lock, 1, 1);
      const now = performance.now();
      if (deadline === 0) deadline = now + HELD_TOO_LONG;
      else if (now > deadline) throw new Error(`the checker's lock of word ${address} was held for ${HELD_TOO_LONG / 1000} s: was its thread terminated?`);
    }
  }

  unlock(address: number): void {
    Atomics.store(this.#ints, this.#lockOf(address), 0);
  }

  #lockOf(address: number): number {
    return this.#locks + ((address >>> STRIPE_SHIFT) & (LOCKS - 1));
  }

  // Threads ----------------------------------------------------------------------------------------

  /** The next index, for a thread with this id. */
  join(id: number): number {
    const thread = Atomics.add(this.#ints, HeaderWord.JOINED, 1);
    if (thread >= this.threads) throw new RangeError(`more than ${this.threads} threads: say so when the shadow memory is made.`);
    Atomics.store(this.#ints, this.#ids + thread, id + 1);
    return thread;
  }

  /** The thread with this id, if it joined. */
  threadOf(id: number): number | undefined {
    for (let thread = 0; thread < this.threads; thread++) if (Atomics.load(this.#ints, this.#ids + thread) === id + 1) return thread;
    return undefined;
  }

  addChecks(thread: number, checks: number): void {
    Atomics.add(this.#ints, this.#checks + thread, checks);
  }

  /** Checks that all threads together have told of. */
  get checks(): number {
    let sum = 0;
    for (let thread = 0; thread < this.threads; thread++) sum += Atomics.load(this.#ints, this.#checks + thread) >>> 0;
    return sum;
  }

  /** Words that at least two threads have touched. For a thread that is alone. */
  get sharedWords(): number {
    const { threads } = this;
    let shared = 0;
    for (let address = 0; address < this.words; address++) {
      const epochs = this.of(address) + 1 + threads;
      let touched = 0;
      for (let thread = 0; thread < threads; thread++) {
        for (let access = 0; access < 4; access++) {
          if (this.#ints[epochs + access * threads + thread] === 0) continue;
          touched++;
          break;
        }
      }
      if (touched >= 2) shared++;
    }
    return shared;
  }

  // Texts ------------------------------------------------------------------------------------------

  /** Keep a text; gives its number, 0 when there is no room for more. */
  keepSite(text: string): number {
    const bytes = new TextEncoder().encode(text);
    const words = 1 + ((bytes.length + 3) >> 2);
    const site = Atomics.add(this.#ints, HeaderWord.SITES_END, words);
    if (site + words > this.#report) {
      Atomics.sub(this.#ints, HeaderWord.SITES_END, words);
      return 0;
    }
    this.#write(site, bytes);
    return site;
  }

  siteText(site: number): string {
    return this.#text(site);
  }

  /** Leave a report, if nobody has before. */
  report(text: string): void {
    if (Atomics.compareExchange(this.#ints, HeaderWord.REPORT, ReportState.NONE, ReportState.WRITING) !== ReportState.NONE) return;
    this.#write(this.#report, new TextEncoder().encode(text).subarray(0, 4 * REPORT_WORDS - 4));
    Atomics.store(this.#ints, HeaderWord.REPORT, ReportState.READY);
  }

  /** Whether somebody has something to report. */
  get reported(): boolean {
    return Atomics.load(this.#ints, HeaderWord.REPORT) !== ReportState.NONE;
  }

  /** The report, when it is whole. */
  get reportText(): string | undefined {
    return Atomics.load(this.#ints, HeaderWord.REPORT) === ReportState.READY ? this.#text(this.#report) : undefined;
  }

  #write(at: number, bytes: Uint8Array): void {
    this.#ints[at] = bytes.length;
    new Uint8Array(this.buffer, 4 * at + 4, bytes.length).set(bytes);
  }

  #text(at: number): string {
    return new TextDecoder().decode(new Uint8Array(this.buffer, 4 * at + 4, this.get(at)).slice());
  }
}

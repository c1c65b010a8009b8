/**
 * Torture of the cell: of what many commit at once, by merges, nothing is lost and nothing twice, every value is of one piece, and versions count the commits.
 *
 *   board   by seat a count and a note, which change together; a list and a set into which each seat puts items of its own, and takes them out again
 *   count   a number that all count up by update()
 *
 *   own words   versions before the first commit of a thread | sums (sums.ts): by seat, and of all commits | items
 */

import { type Cell, ConflictError, jsonOf, mergeAny, type Shared, u32 } from "../../src/index.js";
import { ItemState, Items } from "./items.js";
import type { Stage } from "./stage.js";
import { isStampedText, type StampedText, stampText } from "./stamped.js";
import { Sums } from "./sums.js";
import type { ErrorKind } from "./tally.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

/** Items of a seat in the list, and in the set, above which more go than come. */
const MANY = 6;

const VERSIONS = 0;
const SUMS = 8;
const ITEMS = 128;
/** Sums: by seat, and these. */
const Sum = { BOARD: 20, COUNT: 21, COUNTED: 22 } as const;

interface Board {
  readonly counts: Record<string, number>;
  readonly notes: Record<string, StampedText>;
  list: string[];
  readonly set: Record<string, number>;
}

interface Cells {
  readonly board: Cell<Board, never>;
  readonly count: Cell<number, never>;
}

const newBoard = (): Board => ({ counts: {}, notes: {}, list: [], set: {} });

const openCells = (shared: Shared): Cells => ({
  board: shared.cell("board", jsonOf<Board>(), { initial: newBoard() }),
  count: shared.cell("count", u32, { initial: 0 }),
});

const nameOf = (seat: number, item: number): string => `${seat}:${item}`;
const ownerOf = (name: string): number => Number.parseInt(name, 10);
const itemOf = (name: string): number => Number(name.slice(name.indexOf(":") + 1));

/** What must hold of every board. */
function judgeBoard({ counts, notes, list, set }: Board, items: Items, fail: (kind: ErrorKind, what: string) => void): void {
  for (const [seat, count] of Object.entries(counts)) {
    const note = notes[seat];
    if (note === undefined || !isStampedText(note, Number(seat))) fail("torn", `the note of seat ${seat} is ${JSON.stringify(note)?.slice(0, 200)}`);
    else if (note.version !== count) fail("torn", `the note of seat ${seat} has version ${note.version}, its count is ${count}: they change together`);
  }
  if (Object.keys(notes).length !== Object.keys(counts).length)
    fail("torn", `there are ${Object.keys(notes).length} notes, ${Object.keys(counts).length} counts`);
  if (new Set(list).size !== list.length) fail("twice", `the list holds an item twice: ${list}`);
  for (const name of [...list, ...Object.keys(set)])
    if ((items.state(itemOf(name)) & ItemState.PUTTING) === 0) fail("torn", `an item was never put in: ${name}`);
}

class Worker {
  readonly #t: Thread;
  readonly #sums: Sums;
  readonly #items: Items;
  readonly #words: Int32Array;
  readonly #seat: string;
  /** What the board holds of this seat, which only this thread changes. */
  #count = 0;
  #listed: string[] = [];
  #members: string[] = [];
  /** Counts and version seen last. */
  readonly #seen: Record<string, number> = {};
  #version = 0;

  constructor(thread: Thread) {
    const { own, seat } = thread.job;
    this.#t = thread;
    this.#sums = new Sums(own, SUMS);
    this.#items = new Items(own, ITEMS);
    this.#words = new Int32Array(own);
    this.#seat = String(seat);
  }

  get #cells(): Cells {
    return this.#t.opened(openCells);
  }

  readonly #fail = (kind: ErrorKind, what: string): void => this.#t.fail(kind, what);

  #ofMine(names: readonly string[]): string[] {
    return names.filter((name) => ownerOf(name) === this.#t.job.seat);
  }

  /** Take over what the seat had. */
  begin(): void {
    const { counts, list, set } = this.#cells.board.get();
    this.#count = counts[this.#seat] ?? 0;
    this.#listed = this.#ofMine(list);
    this.#members = this.#ofMine(Object.keys(set));
  }

  read(): void {
    const t = this.#t;
    const { board, count } = this.#cells;
    t.counts.reads++;
    switch (t.random.below(8)) {
      case 0:
        t.begin("count.get");
        this.#sum(Sum.COUNT, "count", () => count.get());
        break;
      case 1:
        t.begin("versions");
        this.#sum(Sum.BOARD, "commits of board", () => board.version - Atomics.load(this.#words, VERSIONS));
        this.#sum(Sum.COUNTED, "commits of count", () => count.version - Atomics.load(this.#words, VERSIONS + 1));
        break;
      case 2: {
        t.begin("board.copy");
        const { value, base, version } = board.copy();
        if (JSON.stringify(value) !== JSON.stringify(base)) t.fail("torn", `a copy is ${JSON.stringify(value)}, its base ${JSON.stringify(base)}`);
        if (version - this.#version < 0) t.fail("backwards", `board went from version ${this.#version} back to ${version}`);
        this.#version = version;
        this.#judge(value);
        break;
      }
      case 3:
        if (t.oneIn(20)) this.#section();
        break;
      default:
        t.begin("board.get");
        this.#judge(t.oneIn(4) ? board.getCopy() : board.get());
    }
  }

  #sum(sum: number, what: string, look: () => number): void {
    const wrong = this.#sums.wrong(sum, look);
    if (wrong !== undefined) this.#t.fail("lost", `${what}: ${wrong}`);
  }

  /** Some ms in a section; what `get` gave stays what it is. */
  #section(): void {
    const t = this.#t;
    const { board } = this.#cells; // opened before the section
    t.begin("board.getCopy, in a section of some ms");
    t.domain.read(() => {
      const cookie = t.checkedCookie();
      const ends = performance.now() + t.random.below(5);
      do this.#judge(board.getCopy());
      while (performance.now() < ends);
      cookie.notYet();
    });
  }

  #judge(board: Board): void {
    const t = this.#t;
    judgeBoard(board, this.#items, this.#fail);
    for (const [seat, count] of Object.entries(board.counts)) {
      if (count < (this.#seen[seat] ?? 0)) t.fail("backwards", `the count of seat ${seat} went from ${this.#seen[seat]} back to ${count}`);
      this.#seen[seat] = count;
    }
    const count = board.counts[this.#seat] ?? 0;
    if (count !== this.#count) t.fail("lost", `this seat's count is ${count}; it was counted to ${this.#count}, and nobody else counts it`);
    this.#same("list", this.#ofMine(board.list), this.#listed);
    this.#same("set", this.#ofMine(Object.keys(board.set)), this.#members);
  }

  #same(what: string, found: readonly string[], known: readonly string[]): void {
    const lost = known.filter((name) => !found.includes(name));
    const more = found.filter((name) => !known.includes(name));
    if (lost.length > 0) this.#t.fail("lost", `the ${what} has no ${lost}, which this seat put in`);
    if (more.length > 0) this.#t.fail("twice", `the ${what} has ${more}, which this seat did not put in, or took out`);
  }

  update(): void {
    const t = this.#t;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    if (t.oneIn(4)) {
      t.begin("count.update");
      this.#sums.add(Sum.COUNTED, () => this.#sums.add(Sum.COUNT, () => this.#cells.count.update((count) => count + 1)));
    } else this.#commit();
    t.self.step(Step.TURN);
  }

  /** A change of what is this seat's: of all its parts at once. */
  #commit(): void {
    const t = this.#t;
    const { random } = t;
    const { board } = this.#cells;
    const listed = this.#changed(this.#listed);
    const members = this.#changed(this.#members);
    if (listed === undefined || members === undefined) return;
    const count = this.#count + 1;
    const change = (value: Board): Board => {
      value.counts[this.#seat] = count;
      value.notes[this.#seat] = stampText(t.job.seat, count);
      const kept = value.list.filter((name) => ownerOf(name) !== t.job.seat || listed.includes(name));
      for (const name of listed) if (!kept.includes(name)) kept.splice(t.oneIn(2) ? kept.length : random.below(kept.length + 1), 0, name);
      value.list = kept;
      for (const name of this.#members) if (!members.includes(name)) delete value.set[name];
      for (const name of members) value.set[name] = 1;
      return value;
    };
    try {
      this.#sums.add(Sum.BOARD, () => {
        this.#sums.add(t.job.seat, () => {
          if (t.oneIn(5)) {
            t.begin("board.update");
            board.update(change);
            return;
          }
          t.begin("board.copy, commit");
          const copy = board.copy();
          change(copy.value);
          if (t.oneIn(2)) this.#think();
          const { version, distance } = board.commit(copy, { merge: t.oneIn(8) ? undefined : mergeAny, maxDistance: t.oneIn(8) ? 1 : undefined });
          if (((copy.version + distance + 1) | 0) !== (version | 0)) t.fail("lost", `version ${copy.version} was committed over ${distance} as ${version}`);
        });
      });
      this.#count = count;
      this.#listed = listed;
      this.#members = members;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error; // nothing of it may be there
    }
    this.#judge(board.get());
  }

  /** Items of this seat as they are to be; undefined when there can be no more. */
  #changed(names: readonly string[]): string[] | undefined {
    const t = this.#t;
    const kept = names.filter(() => !t.oneIn(names.length > MANY ? 2 : 8));
    for (let more = t.random.below(3); more > 0; more--) {
      const item = this.#items.next();
      if (item === 0) return undefined;
      kept.push(nameOf(t.job.seat, item));
    }
    return kept;
  }

  /** Others commit meanwhile. */
  #think(): void {
    Atomics.wait(sleeper, 0, 0, this.#t.random.from(1, 40) / 10);
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Main's part. */
export const cells: Stage = {
  remakes: true,
  open(shared) {
    const { board, count } = openCells(shared);
    return [{ clear: () => board.set(newBoard()) }, { clear: () => count.set(0) }];
  },
  fill(shared, _random, own) {
    const { board, count } = openCells(shared);
    const words = new Int32Array(own);
    Atomics.store(words, VERSIONS, board.version);
    Atomics.store(words, VERSIONS + 1, count.version);
  },
  judge(shared, own, _kills, fail) {
    const { board, count } = openCells(shared);
    const words = new Int32Array(own);
    const sums = new Sums(own, SUMS);
    const look = (sum: number, what: string, seen: number): void => {
      const wrong = sums.wrong(sum, () => seen);
      if (wrong !== undefined) fail("lost", `${what}: ${wrong}`);
    };
    const value = board.get();
    judgeBoard(value, new Items(own, ITEMS), fail);
    for (let seat = 0; seat < Sum.BOARD; seat++) look(seat, "this seat's count", value.counts[seat] ?? 0);
    look(Sum.COUNT, "count", count.get());
    look(Sum.BOARD, "commits of board", board.version - Atomics.load(words, VERSIONS));
    look(Sum.COUNTED, "commits of count", count.version - Atomics.load(words, VERSIONS + 1));
  },
};

/** A thread's. */
export function workOnCells(thread: Thread): Work {
  const worker = new Worker(thread);
  return workOf(thread, {
    begin() {
      thread.bury(() => {});
      worker.begin();
    },
    read: () => worker.read(),
    update: () => worker.update(),
  });
}

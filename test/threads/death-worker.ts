/**
 * A victim of the death test: does one kind of work, for ever, until it is terminated in the middle of it. What it can see is wrong, it throws.
 */

import { hand } from "../../check/support/hand.js";
import {
  COVERED,
  fill,
  isText,
  KEYS,
  type Scratch,
  type TextMap,
  textMap,
  textOf,
  type U32Map,
  u32Map,
  update,
  type Versioned,
  versionOf,
} from "../../check/support/maps.js";
import { checkOf, Random } from "../../check/support/seed.js";
import { Shared, TooManyThreadsError } from "../../src/index.js";
import { type Address, field, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import type { DeathJob, Kind } from "./death-jobs.js";

const TURN = 5;

const self = hand<DeathJob>();
const { kind, seed, number, tag } = self.job;
const random = new Random(seed, number);
let shared = self.shared;
let { domain } = shared;
let { memory, heap } = domain.arena;
let numbers: U32Map = u32Map(shared, "numbers");
let texts: TextMap = textMap(shared, "texts");
let structs: Scratch<Versioned> = { map: numbers, encode: versionOf };
let strings: Scratch<string> = { map: texts, encode: textOf };

process.removeAllListeners("warning"); // of sections left open over a turn, on purpose

function fail(what: string): never {
  throw new Error(`${self.name}: ${what}`);
}

function lookup(): void {
  const key = random.below(KEYS);
  const value = numbers.get(key);
  if (value === undefined ? key < COVERED : value.check !== checkOf(value.version)) fail(`numbers.get(${key}) gave ${JSON.stringify(value)}`);
  const text = texts.get(key);
  if (text === undefined ? key < COVERED : !isText(text)) fail(`texts.get(${key}) gave ${text}`);
  if (random.below(50) === 0) for (const [lo, hi] of numbers.entries(key)) if (lo > hi) fail(`entries gave ${lo}..${hi}`);
}

/** Hold an entry for a while: it must stay what it is, though it may be retired meanwhile. */
function section(): void {
  const ends = performance.now() + random.below(6);
  domain.readLock();
  numbers.at(random.below(COVERED), (view) => {
    const { version } = view.value;
    do if (view.value.version !== version || view.value.check !== checkOf(version)) fail("an entry changed inside a section");
    while (performance.now() < ends);
  });
  if (random.below(4) === 0) setImmediate(() => domain.readUnlock());
  else domain.readUnlock();
}

const words = new Map<Address, number>();

/** Take something, if there is memory: what is in limbo is not yet free again. */
function take(): void {
  const bytes = random.pick([0, 8, 24, 64, 90, 128, 200, 500, 3000, 8192, 20000]);
  const order = random.below(4);
  if (random.below(8) !== 0) note(heap.kmalloc(bytes, tag), bytes >>> 2);
  else if (order !== 3) note(heap.allocPages(order as Order, { tag }), (PAGE_BYTES << order) >>> 2);
  else for (const page of heap.allocPagesBulk(random.from(1, 5), { tag }) ?? []) note(page, PAGE_BYTES >>> 2);
}

/** What it holds has its number in the first and last word: nobody else may be given the same memory. */
function note(address: Address, size: number): void {
  if (address === 0) return;
  if (words.has(address)) fail(`${address} was given twice`);
  if (size > 0) {
    memory.write(address, number);
    memory.write(field(address, size - 1), number);
  }
  words.set(address, size);
}

function give(how: "free" | "retire"): void {
  const [address, size] = random.pick([...words]);
  if (size > 0 && (memory.read(address) !== number || memory.read(field(address, size - 1)) !== number))
    fail(`the words at ${address} were written by another`);
  words.delete(address);
  if (how === "free") heap.kfree(address);
  else domain.retire(address);
}

let away = false;

/** Leave and come back; with something in limbo, and sometimes to find every slot taken. */
function comeAndGo(): void {
  if (!away) {
    update(structs, random);
    lookup();
    shared.close();
    away = true;
  }
  try {
    shared = Shared.attach(self.shared.handle);
  } catch (error) {
    if (error instanceof TooManyThreadsError) return; // again in a moment
    throw error;
  }
  away = false;
  reopen();
}

function reopen(): void {
  domain = shared.domain;
  memory = domain.arena.memory;
  heap = domain.arena.heap;
  numbers = u32Map(shared, "numbers");
  texts = textMap(shared, "texts");
  structs = { map: numbers, encode: versionOf };
  strings = { map: texts, encode: textOf };
}

const work: Record<Kind, () => void> = {
  lookup,
  section,
  set: () => update(structs, random),
  text: () => update(strings, random),
  load: () => {
    if (random.below(3) === 0) numbers.compact();
    else if (random.below(2) === 0) fill(structs, random);
    else fill(strings, random);
  },
  alloc: () => {
    if (words.size < 40 || (words.size < 120 && random.below(2) === 0)) take();
    else if (words.size > 0) give(random.below(8) === 0 ? "retire" : "free");
  },
  retire: () => {
    for (let i = 0; words.size < 20 && i < 40; i++) take();
    if (words.size > 0) give("retire");
  },
  attach: comeAndGo,
};

function turn(): void {
  const ends = performance.now() + TURN;
  do {
    work[kind]();
    self.beat();
  } while (performance.now() < ends);
  setImmediate(turn);
}

// In a later turn: of a thread that dies in the turn that attached it, nobody can tell on Deno.
setTimeout(() => {
  self.begun();
  turn();
}, 10);

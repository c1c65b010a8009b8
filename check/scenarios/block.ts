/** The smallest structure there is: a pointer to a block of two words, of which the second is the complement of the first. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { type Actor, user } from "./support.js";

export const POINTER: Address = user(0);
export const OLD: Address = user(16);
export const NEW: Address = user(20);
export const NEWER: Address = user(24);
const BLOCK_WORDS = 2;

/** Make a block, in memory that is fresh. */
export function fill({ memory, tools }: Actor, block: Address, value: number): void {
  if (tools.thread >= 0) tools.annotate.allocated(block, BLOCK_WORDS); // what setup writes is not seen by the detector
  memory.write(block, value);
  memory.write(field(block, 1), ~value);
}

/** Before the scenario: POINTER leads to OLD, which holds 1. */
export function formatBlock(actor: Actor): void {
  fill(actor, OLD, 1);
  actor.memory.store(POINTER, OLD);
}

/** What a block holds, seen to be whole. */
export function contentsOf({ memory }: Actor, block: Address): number {
  const value = memory.read(block);
  assert.equal(memory.read(field(block, 1)), ~value, "a block that is torn, or was reused under a reader");
  return value;
}

/** In a section: what the pointer leads to. */
export function look(actor: Actor): number {
  return contentsOf(actor, actor.domain.dereference(POINTER));
}

/** A section that looks. */
export function section(actor: Actor): number {
  return actor.domain.read(() => look(actor));
}

/** The memory goes to somebody else, who writes on it. */
export function reuse(actor: Actor, block: Address): void {
  actor.tools.annotate.freed(block, BLOCK_WORDS);
  fill(actor, block, -1);
}

/** Replace what the pointer leads to, wait for a grace period, and reuse the old block. */
export function replace(actor: Actor, block: Address = NEW, value = 2): void {
  fill(actor, block, value);
  const old = actor.memory.exchange(POINTER, block) as Address;
  actor.domain.synchronizeSync();
  reuse(actor, old);
}

/** As `replace`, but look once whether the grace period is over, and if it is not, leave the old block alone. Gives whether it was over. */
export function replaceAtOnce(actor: Actor, block: Address = NEW, value = 2): boolean {
  fill(actor, block, value);
  const old = actor.memory.exchange(POINTER, block) as Address;
  const { periods } = actor.domain;
  const over = periods.isOver(periods.start());
  if (over) reuse(actor, old);
  return over;
}

/** No result of a reader is what was written on freed memory. */
export function noneReused(results: readonly unknown[]): void {
  for (const value of results.flat()) assert.ok(value === undefined || (value as number) > 0, `a reader saw ${String(value)}`);
}

/**
 * The head that an object embeds to be given to `callHead` (K3: the kernel's struct rcu_head).
 *
 * In C it carries the function and the list's link. Functions of JavaScript cannot stand in shared memory, so the callback stays in its thread; what is left for
 * the head is to tell, in every thread, that its object was given up already (the kernel's debug_rcu_head_queue).
 *
 * Law table
 *   word 0   private until the object is published, then atomic: 0, or 1 while it waits for its callback
 *   word 1   kept for a link
 */

import type { Address } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";
import { DoubleCallError } from "./errors.js";

/** Words of a head. */
export const RCU_HEAD_WORDS = 2;

const QUEUED = 1;

/**
 * Note that a head waits for its callback.
 * @throws DoubleCallError
 */
export function queueHead(memory: Memory, head: Address): void {
  if (memory.compareExchange(head, 0, QUEUED) !== 0) throw new DoubleCallError(head);
}

/** Its callback is about to run, and may do with the object what it will. */
export function unqueueHead(memory: Memory, head: Address): void {
  memory.store(head, 0);
}

/**
 * The machine that the threads of a scenario run on: performs one operation on the memory, its
 * shadow, and the threads asleep on its words.
 */

import { Op } from "./operation.js";
import type { ScheduledMemory } from "./scheduled-memory.js";
import type { Shadow } from "./shadow.js";
import { Field, Sleep, type ThreadStates } from "./thread-state.js";
import type { UndoMemory } from "./undo-memory.js";

/** In place of an address: more words than one. */
const MANY = -1;

export class Machine {
  readonly memory: UndoMemory;
  readonly shadow: Shadow | undefined;
  accesses = 0;
  readonly #states: ThreadStates;
  readonly #threads: readonly ScheduledMemory[];

  constructor(memory: UndoMemory, shadow: Shadow | undefined, states: ThreadStates, threads: readonly ScheduledMemory[]) {
    this.memory = memory;
    this.shadow = shadow;
    this.#states = states;
    this.#threads = threads;
  }

  /** It is not a compareExchange that would fail now. */
  takesEffect(memory: ScheduledMemory): boolean {
    const { log, end } = memory;
    if (log.op[end] !== Op.compareExchange) return true;
    return this.memory.undo.get(log.address[end] as number) === ((log.x[end] as number) | 0);
  }

  /**
   * Perform the operation at the end of the log, scheduled or plain; `depth` is that of the next step.
   * @throws ShadowError
   */
  perform(memory: ScheduledMemory, depth: number): number {
    const { log, end: i, index: t } = memory;
    const base = this.memory;
    const shadow = this.shadow;
    const address = log.address[i] as never;
    const x = log.x[i] as number;
    const y = log.y[i] as number;
    const op = log.op[i] as Op;
    this.accesses++;
    let value = 0;
    memory.end = memory.cursor = memory.known = i + 1;
    const before = base.undo.get(address);
    log.value[i] = before; // for the printed schedule, should the access be refused
    switch (op) {
      case Op.load:
        shadow?.atomicRead(t, address);
        value = before;
        break;
      case Op.store:
        shadow?.atomicWrite(t, address);
        base.store(address, x);
        break;
      case Op.exchange:
        shadow?.atomicUpdate(t, address);
        value = base.exchange(address, x);
        break;
      case Op.compareExchange:
        if (before === (x | 0)) shadow?.atomicUpdate(t, address);
        else shadow?.atomicRead(t, address);
        value = base.compareExchange(address, x, y);
        break;
      case Op.add:
        shadow?.atomicUpdate(t, address);
        value = base.add(address, x);
        break;
      case Op.and:
        shadow?.atomicUpdate(t, address);
        value = base.and(address, x);
        break;
      case Op.or:
        shadow?.atomicUpdate(t, address);
        value = base.or(address, x);
        break;
      case Op.wait:
        shadow?.atomicRead(t, address);
        value = before === (x | 0) ? 1 : 0;
        if (value === 1) this.#states.set(t, Field.sleeping, Sleep.asleep);
        break;
      case Op.wake:
        value = this.#states.get(t, Field.sleeping) === Sleep.notified ? 0 : 1;
        this.#states.set(t, Field.sleeping, Sleep.awake);
        break;
      case Op.notify:
        value = this.#notify(t, address, depth);
        break;
      case Op.read:
        shadow?.read(t, address);
        value = before;
        break;
      case Op.write:
        shadow?.write(t, address);
        base.write(address, x);
        break;
      case Op.fill:
        shadow?.write(t, address, x);
        base.fill(address, x, y);
        break;
      case Op.copy:
        shadow?.read(t, x, y);
        shadow?.write(t, address, y);
        base.copy(address, x as never, y);
        break;
      case Op.readBytes: {
        shadow?.read(t, address, (x + 3) >> 2);
        const bytes = memory.bytes as Uint8Array;
        base.readBytes(address, bytes);
        log.bytes[i] = bytes.slice();
        break;
      }
      case Op.writeBytes:
        shadow?.write(t, address, (x + 3) >> 2);
        base.writeBytes(address, memory.bytes as Uint8Array);
        break;
      case Op.allocated:
        shadow?.allocated(t, address, x);
        break;
      case Op.freed:
        shadow?.freed(t, address, x);
        break;
      case Op.immutable:
        shadow?.immutable(t, address, x);
        break;
      default:
        throw new Error("not an operation");
    }
    log.value[i] = value;
    if ((op >= Op.fill && op < Op.allocated) || base.undo.get(address) !== before) this.#unpark(t, op >= Op.fill ? MANY : address);
    return value;
  }

  #notify(t: number, address: number, depth: number): number {
    let woken = 0;
    for (let u = 0; u < this.#threads.length; u++) {
      if (this.#states.get(u, Field.sleeping) !== Sleep.asleep) continue;
      const other = this.#threads[u] as ScheduledMemory;
      if (other.log.address[other.end] !== address) continue;
      this.#states.set(u, Field.sleeping, Sleep.notified);
      this.#states.set(u, Field.notifiedBy, depth);
      this.shadow?.wakes(t, u);
      woken++;
    }
    return woken;
  }

  // After a change of the word at `address`, or of many (MANY).
  #unpark(writer: number, address: number): void {
    for (let u = 0; u < this.#threads.length; u++) {
      if (u === writer || !this.#states.parked(u)) continue;
      const length = this.#states.get(u, Field.spin);
      const { log, end } = this.#threads[u] as ScheduledMemory;
      for (let i = end - length; i < end; i++) if (address === MANY || log.address[i] === address) this.#states.set(u, Field.spin, 0);
    }
  }
}

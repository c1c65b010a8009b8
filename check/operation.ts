/** The operations of `Memory` as data: their record for each thread, and what each one touches. */

export const Op = {
  load: 0,
  store: 1,
  exchange: 2,
  compareExchange: 3,
  add: 4,
  and: 5,
  or: 6,
  wait: 7,
  wake: 8,
  notify: 9,
  read: 10,
  write: 11,
  fill: 12,
  copy: 13,
  readBytes: 14,
  writeBytes: 15,
  allocated: 16,
  freed: 17,
  immutable: 18,
  end: 19,
} as const;

export type Op = (typeof Op)[keyof typeof Op];

export const opNames: readonly string[] = Object.keys(Op);

/**
 * What one thread did, in its program order, and what came of it. Operands by operation:
 * compareExchange x = expected, y = replacement; wait x = expected, y = 1 if the timeout is finite;
 * fill x = words, y = value; copy address = target, x = source, y = words; bytes x = length;
 * annotations x = words; the others x = value. A wait that sleeps is two operations, `wait` and then `wake`.
 */
export class Log {
  readonly op: Op[] = [];
  readonly address: number[] = [];
  readonly x: number[] = [];
  readonly y: number[] = [];
  readonly value: number[] = [];
  readonly bytes: (Uint8Array | undefined)[] = [];

  put(i: number, op: Op, address: number, x: number, y: number): void {
    this.op[i] = op;
    this.address[i] = address;
    this.x[i] = x;
    this.y[i] = y;
  }

  is(i: number, op: Op, address: number, x: number, y: number): boolean {
    return this.op[i] === op && this.address[i] === address && this.x[i] === x && this.y[i] === y;
  }

  /** The operation read words and left every one as it was, so that doing it again over the same values is no news. */
  futile(i: number): boolean {
    const value = this.value[i] as number;
    const x = this.x[i] as number;
    switch (this.op[i]) {
      case Op.load:
      case Op.read:
        return true;
      case Op.compareExchange:
        return value !== (x | 0) || value === ((this.y[i] as number) | 0);
      case Op.exchange:
        return value === (x | 0);
      case Op.add:
        return x === 0;
      case Op.or:
        return (value | x) === value;
      case Op.and:
        return (value & x) === value;
      default:
        return false;
    }
  }
}

/** The locations an operation touches, and how: two operations are dependent if they share one and one of them writes it. */
export class Footprint {
  count = 0;
  readonly location: number[] = [];
  readonly writes: boolean[] = [];

  #add(location: number, writes: boolean): void {
    this.location[this.count] = location;
    this.writes[this.count++] = writes;
  }

  #range(start: number, words: number, writes: boolean): void {
    for (let i = 0; i < words; i++) this.#add(start + i, writes);
  }

  /**
   * `effect`: a compareExchange takes place. (A failed one is a read, in the ES memory model too.) The waiters of word a are location words + a: notify writes it,
   * wait reads it, since sleepers commute with each other. A wait that does not sleep reads it too:
   * whether it sleeps is up to another location, and source sets may not depend on that (the random tests found it).
   */
  of(log: Log, i: number, words: number, effect: boolean, anyTimeouts: boolean): void {
    this.count = 0;
    this.more(log, i, words, effect, anyTimeouts);
  }

  /** Adds what another operation touches. */
  more(log: Log, i: number, words: number, effect: boolean, anyTimeouts: boolean): void {
    const address = log.address[i] as number;
    const x = log.x[i] as number;
    switch (log.op[i]) {
      case Op.load:
      case Op.read:
        this.#add(address, false);
        return;
      case Op.compareExchange:
        this.#add(address, effect);
        return;
      case Op.wait:
        this.#add(address, false);
        this.#add(words + address, false);
        return;
      case Op.wake:
        if (anyTimeouts && log.y[i] === 1) this.#add(words + address, false);
        return;
      case Op.notify:
        this.#add(words + address, true);
        return;
      case Op.fill:
        this.#range(address, x, true);
        return;
      case Op.copy:
        this.#range(address, log.y[i] as number, true);
        this.#range(x, log.y[i] as number, false);
        return;
      case Op.readBytes:
        this.#range(address, (x + 3) >> 2, false);
        return;
      case Op.writeBytes:
        this.#range(address, (x + 3) >> 2, true);
        return;
      case Op.allocated:
      case Op.freed:
      case Op.immutable:
      case Op.end:
        return;
      default:
        this.#add(address, true);
        return;
    }
  }

  conflicts(other: Footprint): boolean {
    for (let i = 0; i < this.count; i++) {
      for (let j = 0; j < other.count; j++) {
        if (this.location[i] === other.location[j] && (this.writes[i] || other.writes[j])) return true;
      }
    }
    return false;
  }
}

/**
 * A ring of numbers from one thread to one other (Lamport 1983), for handing blocks over; and the gate at which both begin.
 *
 *   | GATE | HEAD: popped | TAIL: pushed | entry 0 .. 1023 |
 *
 * Law table: GATE, HEAD, TAIL atomic; an entry is private to the pusher until TAIL has passed it, then to the popper until HEAD has.
 * Both publish 32 entries at a time, so that what is measured is the blocks and not the ring.
 */

const GATE = 0;
const HEAD = 32;
const TAIL = 64;
const ENTRIES = 96;
const CAPACITY = 1024;
const PUBLISH = 32;
/**
 * Looks at a word before sleeping a little, for where there are fewer cores than threads. They must take longer than the sleep: else two
 * threads of which one once slept go on sleeping in turn, a ring's length apart, and it is the sleep that is measured.
 */
const SPINS = 100_000;
const SLEEP_MS = 0.05;
/** Longest time to wait for the other thread, in ms. */
const PATIENCE = 20_000;

export class Ring {
  readonly #words: Int32Array;
  /** Entries pushed or popped, and those of them that the other thread knows of. */
  #mine = 0;
  #told = 0;
  /** What the other thread had popped or pushed when last looked. */
  #theirs = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  static buffer(): SharedArrayBuffer {
    return new SharedArrayBuffer((ENTRIES + CAPACITY) * 4);
  }

  /** Have `count` threads go on together. */
  gate(count: number): void {
    const arrived = Atomics.add(this.#words, GATE, 1) + 1;
    const all = Math.ceil(arrived / count) * count;
    this.#until(GATE, (value) => value >= all);
  }

  /** Begin anew: both threads, before a gate. */
  reset(): void {
    this.#mine = 0;
    this.#told = 0;
    this.#theirs = 0;
    Atomics.store(this.#words, HEAD, 0);
    Atomics.store(this.#words, TAIL, 0);
  }

  push(value: number): void {
    if (this.#mine - this.#theirs === CAPACITY) this.#theirs = this.#until(HEAD, (popped) => this.#mine - popped < CAPACITY);
    this.#words[ENTRIES + (this.#mine % CAPACITY)] = value;
    this.#mine++;
    if (this.#mine - this.#told >= PUBLISH) this.#tell(TAIL);
  }

  /** Say that nothing more comes. */
  end(): void {
    this.push(0);
    this.#tell(TAIL);
  }

  /** The next number, 0 at the end. */
  pop(): number {
    if (this.#mine === this.#theirs) {
      this.#tell(HEAD);
      this.#theirs = this.#until(TAIL, (pushed) => pushed !== this.#mine);
    }
    const value = this.#words[ENTRIES + (this.#mine % CAPACITY)] as number;
    this.#mine++;
    if (this.#mine - this.#told >= PUBLISH) this.#tell(HEAD);
    return value;
  }

  #tell(word: number): void {
    this.#told = this.#mine;
    Atomics.store(this.#words, word, this.#mine);
  }

  #until(word: number, reached: (value: number) => boolean): number {
    const words = this.#words;
    const start = performance.now();
    for (let spins = 1; ; spins++) {
      const value = Atomics.load(words, word);
      if (reached(value)) return value;
      if (spins % SPINS !== 0) continue;
      Atomics.wait(words, word, value, SLEEP_MS);
      if (performance.now() - start > PATIENCE) throw new Error(`the other thread did not come in ${PATIENCE / 1000} s`);
    }
  }
}

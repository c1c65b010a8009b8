/** In the place of shared.map until it is there. */
export class StandIn<K, V> extends Map<K, V> {
  getBytes(bytes: Uint8Array, start: number, end: number): V | undefined {
    return this.get((bytes as Buffer).toString("latin1", start, end) as K);
  }
}

/** In the place of shared.cell until it is there. */
export class StandInCell<T> {
  readonly #value: T;
  readonly #word: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  constructor(value: T) {
    this.#value = value;
  }
  get(): T {
    if (Atomics.load(this.#word, 0) !== 0) throw new Error("a stand-in does not change");
    return this.#value;
  }
}

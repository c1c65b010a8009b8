/**
 * Words that can be taken back.
 *
 * A depth-first search goes back thousands of times a second to a state it has been in. Copying
 * the state (an arena is a megabyte) is out of the question, so every change is journalled as
 * (index, old value) and going back to a mark plays the journal backwards. The cost of a step back
 * is the number of words changed since, which is a handful.
 */
export class Undo {
  cells: Int32Array;
  #journal: Int32Array = new Int32Array(1024);
  #length = 0;
  #allocated: number;

  constructor(words: number) {
    this.cells = new Int32Array(words);
    this.#allocated = words;
  }

  get(index: number): number {
    return this.cells[index] as number;
  }

  set(index: number, value: number): void {
    if (this.cells[index] === value) return;
    this.save(index);
    this.cells[index] = value;
  }

  /** Journal a word that the caller is about to change by itself. */
  save(index: number): void {
    if (this.#length === this.#journal.length) {
      const longer = new Int32Array(this.#journal.length * 2);
      longer.set(this.#journal);
      this.#journal = longer;
    }
    this.#journal[this.#length++] = index;
    this.#journal[this.#length++] = this.cells[index] as number;
  }

  /** Index of `words` more words, all zero. Not journalled: unused words may stay allocated. */
  allocate(words: number): number {
    const index = this.#allocated;
    this.#allocated += words;
    if (this.#allocated > this.cells.length) {
      const longer = new Int32Array(Math.max(this.#allocated, this.cells.length * 2));
      longer.set(this.cells);
      this.cells = longer;
    }
    return index;
  }

  mark(): number {
    return this.#length;
  }

  rewind(mark: number): void {
    while (this.#length > mark) {
      this.#length -= 2;
      this.cells[this.#journal[this.#length] as number] = this.#journal[this.#length + 1] as number;
    }
  }
}

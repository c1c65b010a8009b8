/**
 * Where cold pages go: a backing store, and the one over a file (Node, Deno, Bun).
 *
 * A page's slot in the store is the page's own number in the virtual space, so there is nothing to hand out, and nothing to recover. Files are
 * sparse: slots that were never written take no room.
 *
 * Law table: this file owns no word. A slot is read and written with SWAP_LOCK held.
 */

import { PAGE_BYTES } from "../address.js";
import { QuiesceError } from "../errors.js";

/** Pages outside the arena, in numbered slots. All threads of an arena must be given the same pages, each through a store of its own. */
export interface BackingStore {
  /** Fill `target`, 4096 bytes, with what was last written to the slot. Blocks. */
  readPage(slot: number, target: Uint8Array): void;
  /** Keep `source`, 4096 bytes. Blocks; whatever it throws, the page stays in memory. */
  writePage(slot: number, source: Uint8Array): void;
}

interface Files {
  readonly constants: { readonly O_RDWR: number; readonly O_CREAT: number };
  openSync(path: string, flags: number): number;
  readSync(file: number, target: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(file: number, source: Uint8Array, offset: number, length: number, position: number): number;
  closeSync(file: number): void;
}

interface Platform {
  readonly process?: { getBuiltinModule?: (name: string) => Files | undefined };
}

/** A file of pages, made if it does not exist. Each thread opens it by the same path; who made it removes it in the end. */
export class FileStore implements BackingStore {
  readonly #files: Files;
  readonly #file: number;

  /** @throws QuiesceError (ERR_NO_FILES) where the platform has no synchronous files; what the platform throws when it cannot open it */
  constructor(path: string) {
    const files = (globalThis as Platform).process?.getBuiltinModule?.("node:fs");
    if (files === undefined) throw new QuiesceError("ERR_NO_FILES", "this platform has no synchronous files: give a backing store of your own.");
    this.#files = files;
    this.#file = files.openSync(path, files.constants.O_RDWR | files.constants.O_CREAT);
  }

  readPage(slot: number, target: Uint8Array): void {
    this.#all(slot, (done) => this.#files.readSync(this.#file, target, done, PAGE_BYTES - done, slot * PAGE_BYTES + done), "read");
  }

  writePage(slot: number, source: Uint8Array): void {
    this.#all(slot, (done) => this.#files.writeSync(this.#file, source, done, PAGE_BYTES - done, slot * PAGE_BYTES + done), "written");
  }

  /** The system may do less than it was asked for. */
  #all(slot: number, some: (done: number) => number, what: string): void {
    for (let done = 0; done < PAGE_BYTES; ) {
      const more = some(done);
      if (more === 0)
        throw new QuiesceError("ERR_BACKING_STORE", `only ${done} of ${PAGE_BYTES} bytes of page ${slot} could be ${what}: was the file cut short?`);
      done += more;
    }
  }

  close(): void {
    this.#files.closeSync(this.#file);
  }
}

/** A map under measurement, as one thread holds it. */

import type { Key, Kind, Value } from "./data.js";

/** What the loops call. It is the peer's own object wherever its methods are these, so that V8 compiles the calls as in a program of its users. */
export interface MapLike {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
  /** Where a key can be looked up by its bytes. */
  getBytes?(bytes: Uint8Array, start: number, end: number): Value | undefined;
}

export interface Held {
  readonly map: MapLike;
  /** What another thread needs to open the same map; undefined where it cannot be shared, and each thread has a copy. */
  readonly handle: unknown;
  /** Bytes that it takes outside of the thread's heap, all structure included. */
  bytes(): number;
  /** At the end of a turn of sets: they are visible to other threads then. */
  settle?(): Promise<unknown>;
  /** All that the sets replaced has been freed. */
  finish?(): Promise<unknown>;
  close(): Promise<void>;
}

/** What a peer is told when it is opened. */
export interface OpenOptions {
  readonly kind: Kind;
  readonly size: number;
  /** A directory for files, which the suite removes. */
  readonly directory: string;
  /** Of the thread that made it; missing for the first. */
  readonly handle?: unknown;
}

export type Open = (options: OpenOptions) => Promise<Held>;

/** A package that is not installed. */
export class MissingPeerError extends Error {
  readonly code = "ERR_MISSING_PEER";
}

/** A package that need not be there, untyped: some of them declare no types that TypeScript takes. */
export async function optional<T>(name: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new MissingPeerError(`${name} is not beside these figures: \`npm install --no-save ${name}\`.`);
  }
}

/** Sets between two turns of the event loop: a writer that never ends its turn keeps everybody's old versions waiting. */
export const SETS_A_TURN = 1024;

export const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

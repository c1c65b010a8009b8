/**
 * shared-memory-datastructures 1.0 alpha (Pieter Verschaffelt): ShareableMap, in two SharedArrayBuffers, without a lock or an atomic operation; whoever
 * makes it grow moves it away from the other threads. It gets its size in advance.
 */

import type { Kind } from "../data.js";
import { type Held, type MapLike, type OpenOptions, optional } from "../held.js";

interface TransferableState {
  readonly indexBuffer: SharedArrayBuffer;
  readonly dataBuffer: SharedArrayBuffer;
}
interface ShareableMap extends MapLike {
  toTransferableState(): TransferableState;
}
interface ShareableMapClass {
  new (options: object): ShareableMap;
  fromTransferableState(state: unknown, options: object): ShareableMap;
}

/** About what a value and its key take. */
const VALUE_BYTES: Readonly<Record<Kind, number>> = { u32: 24, utf8: 56, json: 112, struct: 96 };

export async function openShareableMap({ kind, size, handle }: OpenOptions): Promise<Held> {
  const { ShareableMap } = await optional<{ ShareableMap: ShareableMapClass }>("shared-memory-datastructures");
  const options = { expectedSize: size, averageBytesPerValue: VALUE_BYTES[kind] };
  const map = handle === undefined ? new ShareableMap(options) : ShareableMap.fromTransferableState(handle, options);
  return {
    map,
    get handle() {
      return map.toTransferableState();
    },
    bytes: () => {
      const { indexBuffer, dataBuffer } = map.toTransferableState();
      return indexBuffer.byteLength + dataBuffer.byteLength;
    },
    close: async () => {},
  };
}

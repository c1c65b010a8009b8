/** Bytes. They are copied in and out; a view on a SharedArrayBuffer is copied like any other, as it is at that moment. */

import { blockCodec } from "./block.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

/** Whether it is a Uint8Array, be it of another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === "Uint8Array";
}

/** Uint8Arrays (Buffers among them) of up to 4 MiB less 4 bytes; what is read is a plain Uint8Array, and its reader's own: nothing can freeze it. */
export const bytes: VariableCodec<Uint8Array> = blockCodec({
  name: "bytes",
  encode(value) {
    if (!isBytes(value)) throw new ValueError("ERR_VALUE_TYPE", `bytes are a Uint8Array; got ${show(value)}.`);
    return new Uint8Array(value);
  },
  decode: (stored) => stored,
  copy: (value) => new Uint8Array(value),
  freeze: (value) => value,
  canFreeze: false,
});

/** Structs: named fields of fixed size, one after the other. */

import { type Address, field, NULL } from "../memory/address.js";
import { QuiesceError } from "../memory/errors.js";
import type { Memory } from "../memory/memory.js";
import type { FixedCodec, View } from "./codec.js";
import { show, ValueError } from "./errors.js";

/** Codecs by the name of their field. */
export type Fields = Readonly<Record<string, FixedCodec<number>>>;

/** The object that a struct's fields make. */
export type StructOf<F extends Fields> = { [K in keyof F]: F[K] extends FixedCodec<infer T> ? T : never };

/** A struct seen in place: its getters read shared memory. Only inside the callback it was given to. */
export type StructView<F extends Fields> = Readonly<StructOf<F>>;

/** A codec for structs; knows where each field stands. */
export interface StructCodec<F extends Fields> extends FixedCodec<StructOf<F>, StructView<F>> {
  /** Words before each field. */
  readonly offsets: Readonly<Record<keyof F, number>>;
}

/**
 * The struct whose field is at this address (the kernel's container_of).
 * @throws QuiesceError (ERR_SCHEMA) for a field that the struct has not
 */
export function containerOf<F extends Fields>(address: Address, codec: StructCodec<F>, name: keyof F & string): Address {
  return field(address, -offsetOf(codec, name));
}

/**
 * Words from the start of a struct to a field (offsetof).
 * @throws QuiesceError (ERR_SCHEMA) for a field that the struct has not
 */
export function offsetOf<F extends Fields>(codec: StructCodec<F>, name: keyof F & string): number {
  const offset = Object.hasOwn(codec.offsets, name) ? codec.offsets[name] : undefined;
  if (offset === undefined) throw new QuiesceError("ERR_SCHEMA", `${codec.name} has no field ${JSON.stringify(name)}.`);
  return offset;
}

/** A window on a struct, with a getter of its own for each field, so that it can be spread and printed as an object is. */
function windowOn<F extends Fields>(fields: readonly { name: string; codec: FixedCodec<number>; offset: number }[]): View<StructView<F>> {
  let memory: Memory | undefined;
  let address: Address = NULL;
  const window = {};
  for (const { name, codec, offset } of fields) {
    Object.defineProperty(window, name, {
      enumerable: true,
      get() {
        if (memory === undefined) throw new QuiesceError("ERR_VIEW_ENDED", "this view was used after its callback had ended; copy what you need inside it.");
        return codec.read(memory, field(address, offset));
      },
    });
  }
  return {
    at(inMemory, atAddress) {
      memory = inMemory;
      address = atAddress;
      return window as StructView<F>;
    },
    end() {
      memory = undefined;
    },
  };
}

/**
 * A codec for objects with these fields.
 * @throws QuiesceError (ERR_SCHEMA) for no fields, or one of variable size
 */
export function struct<const F extends Fields>(fields: F): StructCodec<F> {
  let words = 0;
  const parts = Object.entries(fields).map(([name, codec]) => {
    if (codec?.words === undefined) throw new QuiesceError("ERR_SCHEMA", `field ${name} of a struct must be of fixed size (u16, u32, i32, rcuHead).`);
    // Names stand in the schema's text, which must tell schemas apart.
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === "__proto__") {
      throw new QuiesceError("ERR_SCHEMA", `a struct's field is called by an identifier; got ${JSON.stringify(name)}.`);
    }
    const part = { name, codec, offset: words };
    words += codec.words;
    return part;
  });
  if (parts.length === 0) throw new QuiesceError("ERR_SCHEMA", "a struct needs at least one field.");
  type Value = StructOf<F> & Record<string, number>;
  return {
    name: `struct{${parts.map(({ name, codec }) => `${name}:${codec.name}`).join(",")}}`,
    words,
    offsets: Object.fromEntries(parts.map(({ name, offset }) => [name, offset])) as Record<keyof F, number>,
    check(value) {
      if (typeof value !== "object" || value === null) {
        throw new ValueError("ERR_VALUE_TYPE", `a struct is an object with the fields ${parts.map((part) => part.name).join(", ")}; got ${show(value)}.`);
      }
      for (const { name, codec } of parts) {
        try {
          codec.check((value as Value)[name] as number);
        } catch (error) {
          if (error instanceof ValueError) throw new ValueError(error.code as "ERR_VALUE_TYPE", `field ${name}: ${error.message}`);
          throw error;
        }
      }
    },
    write(memory, address, value) {
      for (const { name, codec, offset } of parts) codec.write(memory, field(address, offset), (value as Value)[name] as number);
    },
    read(memory, address) {
      const value: Record<string, number> = {};
      for (const { name, codec, offset } of parts) value[name] = codec.read(memory, field(address, offset));
      return value as StructOf<F>;
    },
    equals: (memory, address, value) =>
      parts.every(({ name, codec, offset }) => codec.equals(memory, field(address, offset), (value as Value)[name] as number)),
    copy: (value) => Object.fromEntries(parts.map(({ name }) => [name, (value as Value)[name]])) as StructOf<F>,
    same: (a, b) => parts.every(({ name, codec }) => codec.same((a as Value)[name] as number, (b as Value)[name] as number)),
    view: () => windowOn<F>(parts),
  };
}

/** Structs: named fields of fixed size, one after the other. */

import { type Address, field, NULL, WORD_BYTES } from "../memory/address.js";
import { QuiesceError } from "../memory/errors.js";
import type { Memory } from "../memory/memory.js";
import type { FixedCodec, View } from "./codec.js";
import { show, ValueError } from "./errors.js";

/** Codecs by the name of their field: any fixed one, structs among them. */
export type Fields = Readonly<Record<string, FixedCodec<unknown, unknown>>>;

/** The object that a struct's fields make. */
export type StructOf<F extends Fields> = { -readonly [K in keyof F]: F[K] extends FixedCodec<infer T, infer _V> ? T : never };

/** A struct seen in place: its getters read shared memory. Only inside the callback it was given to. */
export type StructView<F extends Fields> = { readonly [K in keyof F]: F[K] extends FixedCodec<infer _T, infer V> ? V : never };

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

/** A field, and its words before it. */
interface Part {
  readonly name: string;
  readonly codec: FixedCodec<unknown, unknown>;
  readonly offset: number;
}

/**
 * A window on a struct, with a getter of its own for each field, so that it can be spread and printed as an object is. A struct in it has a window
 * of its own, which goes where this one goes.
 */
function windowOn<F extends Fields>(parts: readonly Part[]): View<StructView<F>> {
  let memory: Memory | undefined;
  let address: Address = NULL;
  const shown = {};
  const views = parts.map(({ codec, offset }) => ({ view: codec.view(), offset, isWindow: "offsets" in codec }));
  const inner = views.filter(({ isWindow }) => isWindow);
  for (const [i, { name }] of parts.entries()) {
    const { view, offset } = views[i] as (typeof views)[number];
    Object.defineProperty(shown, name, {
      enumerable: true,
      get() {
        if (memory === undefined) throw new QuiesceError("ERR_VIEW_ENDED", "this view was used after its callback had ended; copy what you need inside it.");
        return view.at(memory, field(address, offset));
      },
    });
  }
  return {
    at(inMemory, atAddress) {
      memory = inMemory;
      address = atAddress;
      for (const { view, offset } of inner) view.at(inMemory, field(atAddress, offset));
      return shown as StructView<F>;
    },
    end() {
      memory = undefined;
      for (const { view } of inner) view.end();
    },
  };
}

/**
 * A codec for objects with these fields.
 * @throws QuiesceError (ERR_SCHEMA) for no fields, or one of variable size
 */
export function struct<const F extends Fields>(fields: F): StructCodec<F> {
  let words = 0;
  const parts = Object.entries(fields).map(([name, codec]): Part => {
    if (codec?.words === undefined) {
      throw new QuiesceError(
        "ERR_SCHEMA",
        `field ${name} of a struct must be of fixed size (u8, u16, u32, i32, f64, bool, a struct, rcuHead); got ${show(codec?.name)}.`,
      );
    }
    // Names stand in the schema's text, which must tell schemas apart.
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name === "__proto__") {
      throw new QuiesceError("ERR_SCHEMA", `a struct's field is called by an identifier; got ${JSON.stringify(name)}.`);
    }
    const part = { name, codec, offset: words };
    words += codec.words;
    return part;
  });
  if (parts.length === 0) throw new QuiesceError("ERR_SCHEMA", "a struct needs at least one field.");
  type Value = StructOf<F>;
  const prepare = (value: Value): Value => {
    if (typeof value !== "object" || value === null) {
      throw new ValueError("ERR_VALUE_TYPE", `a struct is an object with the fields ${parts.map((part) => part.name).join(", ")}; got ${show(value)}.`);
    }
    const prepared: Record<string, unknown> = {};
    for (const { name, codec } of parts) {
      try {
        prepared[name] = codec.prepare(value[name as keyof F]);
      } catch (error) {
        if (error instanceof ValueError) throw new ValueError(error.code as "ERR_VALUE_TYPE", `field ${name}: ${error.message}`);
        throw error;
      }
    }
    return prepared as Value;
  };
  const read = (memory: Memory, address: Address): Value => {
    const value: Record<string, unknown> = {};
    for (const { name, codec, offset } of parts) value[name] = codec.read(memory, field(address, offset));
    return value as Value;
  };
  return {
    name: `struct{${parts.map(({ name, codec }) => `${name}:${codec.name}`).join(",")}}`,
    words,
    offsets: Object.fromEntries(parts.map(({ name, offset }) => [name, offset])) as Record<keyof F, number>,
    check(value) {
      prepare(value);
    },
    prepare,
    bytes: () => words * WORD_BYTES,
    write(memory, address, value) {
      for (const { name, codec, offset } of parts) codec.write(memory, field(address, offset), value[name as keyof F]);
    },
    read,
    stored: read,
    equals: (memory, address, value) => parts.every(({ name, codec, offset }) => codec.equals(memory, field(address, offset), value[name as keyof F])),
    same: (a, b) => parts.every(({ name, codec }) => codec.same(a[name as keyof F], b[name as keyof F])),
    copy: (value) => Object.fromEntries(parts.map(({ name, codec }) => [name, codec.copy(value[name as keyof F])])) as Value,
    freeze(value) {
      for (const { name, codec } of parts) codec.freeze(value[name as keyof F]);
      return Object.freeze(value);
    },
    canFreeze: parts.every(({ codec }) => codec.canFreeze),
    view: () => windowOn<F>(parts),
  };
}

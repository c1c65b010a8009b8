/**
 * A codec of the user's own.
 *
 *   const point = codec({ name: "point", encode: ({ x, y }) => new Uint8Array(Float64Array.of(x, y).buffer), decode: toPoint, size: 16 });
 *
 * Its functions are called before anything is taken, so what they throw goes to the caller unchanged, and nothing has changed. `decode` runs in a
 * read-side section: it must not wait.
 */

import { QuiesceError } from "../memory/errors.js";
import { blockCodec, checkLength } from "./block.js";
import { isBytes } from "./bytes.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

/** What a user's own codec is made of. */
export interface CodecOptions<T> {
  /** Tells it from others, in all threads: letters, digits and any of _ $ . / - @, at most 64. Change it when the encoding changes. */
  readonly name: string;
  /** The value's bytes, which are copied at once: an array may be used again. The same for equal values. */
  encode(value: T): Uint8Array;
  /** The value of bytes that `encode` gave, in any thread; they are its own. */
  decode(bytes: Uint8Array<ArrayBuffer>): T;
  /** Called first; refuses by throwing. */
  check?(value: T): void;
  /** Bytes that every encoding has; others are refused. */
  readonly size?: number;
  /**
   * Makes a decoded value one that nobody can change; default: Object.freeze for objects. `false` where that cannot be: then each `get` decodes anew. Typed
   * arrays, Map, Set and Date need one of the two.
   */
  readonly freeze?: ((value: T) => T) | false;
}

/**
 * A codec of these functions.
 * @throws QuiesceError (ERR_SCHEMA) for options that are none
 */
export function codec<T>(options: CodecOptions<T>): VariableCodec<T> {
  checkOptions(options);
  const { name, size, freeze } = options;
  const text = `custom(${name}${size === undefined ? "" : `,${size}`})`;

  // By way of `options`, so that its functions may use `this`.
  const encode = (value: T): Uint8Array => {
    options.check?.(value);
    if (freeze === undefined && cannotFreeze(value)) {
      throw new ValueError(
        "ERR_VALUE_TYPE",
        `${text} cannot freeze ${show(value)}: give the codec a \`freeze\` function, or \`freeze: false\` to decode at each get.`,
      );
    }
    const encoded = options.encode(value);
    if (!isBytes(encoded)) throw new ValueError("ERR_VALUE_TYPE", `the \`encode\` of ${text} gives a Uint8Array; it gave ${show(encoded)}.`);
    if (size !== undefined && encoded.length !== size) {
      throw new ValueError("ERR_VALUE_TYPE", `the \`encode\` of ${text} gives ${size} bytes; it gave ${encoded.length}.`);
    }
    checkLength(text, encoded.length); // before it is copied
    return new Uint8Array(encoded);
  };
  const decode = (bytes: Uint8Array<ArrayBuffer>): T => options.decode(bytes);

  return blockCodec<T>({
    name: text,
    encode,
    decode,
    copy: (value) => decode(encode(value) as Uint8Array<ArrayBuffer>),
    freeze: freeze === false ? (value) => value : (freeze ?? ((value) => Object.freeze(value))),
    canFreeze: freeze !== false,
  });
}

/** Object.freeze throws for the first, and lets the others be changed. */
function cannotFreeze(value: unknown): boolean {
  return ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set || value instanceof Date;
}

function checkOptions<T>(options: CodecOptions<T>): void {
  const refuse = (is: string, got: unknown): never => {
    throw new QuiesceError("ERR_SCHEMA", `${is}; got ${show(got)}.`);
  };
  if (typeof options !== "object" || options === null) refuse("a codec is made of { name, encode, decode }", options);
  const { name, encode, decode, check, size, freeze } = options;
  // The name stands in the schema's text, which must tell schemas apart.
  if (typeof name !== "string" || !/^[\w$./@-]{1,64}$/.test(name)) refuse("a codec's name is 1 to 64 letters, digits and any of _ $ . / - @", name);
  for (const [what, given] of Object.entries({ encode, decode })) if (typeof given !== "function") refuse(`the \`${what}\` of a codec is a function`, given);
  if (check !== undefined && typeof check !== "function") refuse("the `check` of a codec is a function, or left out", check);
  if (size !== undefined && (!Number.isInteger(size) || size < 0)) refuse("the `size` of a codec is a whole number of bytes, not negative, or left out", size);
  if (freeze !== undefined && freeze !== false && typeof freeze !== "function") refuse("the `freeze` of a codec is a function, false, or left out", freeze);
}

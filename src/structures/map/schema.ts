/** What a map is of: its keys, its values, how long they stay; the same in every thread that opens it. */

import { InvalidSizeError, QuiesceError } from "../../memory/errors.js";
import { type Codec, type CodecBase, isCodec } from "../../values/codec.js";
import { show } from "../../values/errors.js";

/** Kinds of keys and of values, and limits. */
export interface MapSchema<K, T, V = T> {
  readonly key: CodecBase<K>;
  readonly value: Codec<T, V>;
  /** ms that an entry stays, unless `set` says otherwise; then the map may have entries that expire. At most a year. */
  readonly ttl?: number;
  /** Most entries: when there would be more, one that was not read of late goes (CLOCK). */
  readonly maxEntries?: number;
  /** About how many values this thread keeps decoded at most, for as long as their entries are the same (0: none, else at least 256); default 262,144. Each thread may say otherwise. */
  readonly decoded?: number;
}

/** Longest time to live, in ms. */
export const MOST_TTL: number = 366 * 24 * 3600 * 1000;

/**
 * Refuse what is no schema.
 * @throws QuiesceError (ERR_SCHEMA), InvalidSizeError
 */
export function checkMapSchema<K, T, V>(schema: MapSchema<K, T, V>): void {
  if (!isCodec(schema?.key) || !isCodec(schema.value))
    throw new QuiesceError(
      "ERR_SCHEMA",
      `the schema of a map is { key: a codec such as utf8, value: a codec such as json }; got key ${show(schema?.key)}, value ${show(schema?.value)}.`,
    );
  if (schema.key.name === "json")
    throw new QuiesceError("ERR_SCHEMA", "json is no codec for keys: equal objects may be written in more than one way. Use utf8, bytes or a struct.");
  checkTtl(schema.ttl);
  const { maxEntries, decoded } = schema;
  if (decoded !== undefined && !(Number.isInteger(decoded) && decoded >= 0)) throw new InvalidSizeError("decoded", decoded, "a whole number, not negative");
  if (maxEntries !== undefined && !(Number.isInteger(maxEntries) && maxEntries > 0))
    throw new InvalidSizeError("maxEntries", maxEntries, "a whole number above 0");
}

/** @throws InvalidSizeError */
export function checkTtl(ttl: number | undefined): void {
  if (ttl !== undefined && !(typeof ttl === "number" && ttl > 0 && ttl <= MOST_TTL))
    throw new InvalidSizeError("ttl", ttl, `a number of ms above 0, at most ${MOST_TTL}`);
}

/** Text of a schema, for comparison between threads. */
export function mapSchemaText<K, T, V>({ key, value, ttl, maxEntries }: MapSchema<K, T, V>): string {
  return `map(${key.name} -> ${value.name}${ttl === undefined ? "" : `, ttl ${ttl}`}${maxEntries === undefined ? "" : `, maxEntries ${maxEntries}`})`;
}

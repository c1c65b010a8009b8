/** What an interval map is of: its bounds and its values, the same in every thread that opens it. */

import { QuiesceError } from "../memory/errors.js";
import { type Codec, isCodec } from "../values/codec.js";
import { show } from "../values/errors.js";
import { type Bounds, nodeOffsets, u32Bounds, u128Bounds } from "./bounds.js";

/** Bounds that an interval map can have: how keys are shown, and how else they may be given. */
export interface BoundsTypes {
  u32: { key: number; given: number };
  u128: { key: bigint; given: Uint32Array };
}

export type BoundsName = keyof BoundsTypes;

/** A key as it is shown. */
export type Key<B extends BoundsName> = BoundsTypes[B]["key"];

/** A key as it may be given. */
export type GivenKey<B extends BoundsName> = Key<B> | BoundsTypes[B]["given"];

/** Bounds as the algorithms see them: a key is a number, or four words. */
export type AnyBounds = Bounds<unknown, number | bigint, Uint32Array>;

export const boundsOf: Readonly<Record<BoundsName, AnyBounds>> = { u32: u32Bounds, u128: u128Bounds } as unknown as Readonly<Record<BoundsName, AnyBounds>>;

/** Kind of bounds and of values; the same in every thread that opens the map. */
export interface IntervalMapSchema<B extends BoundsName, T, V> {
  readonly bounds: B;
  readonly value: Codec<T, V>;
}

/**
 * Refuse what is no schema.
 * @throws QuiesceError (ERR_SCHEMA)
 */
export function checkSchema<B extends BoundsName, T, V>(schema: IntervalMapSchema<B, T, V>): void {
  if (!Object.hasOwn(boundsOf, schema?.bounds) || !isCodec(schema.value)) {
    throw new QuiesceError(
      "ERR_SCHEMA",
      `the schema of an interval map is { bounds: "u32" or "u128", value: a codec such as u16 }; got bounds ${show(schema?.bounds)}, value ${show(schema?.value)}.`,
    );
  }
}

/** Text of a schema, for comparison between threads. */
export function schemaText<B extends BoundsName, T, V>(schema: IntervalMapSchema<B, T, V>): string {
  return `intervalMap(${schema.bounds} -> ${schema.value.name})`;
}

/** Bytes of a node. */
export function nodeBytes<B extends BoundsName, T, V>(schema: IntervalMapSchema<B, T, V>): number {
  const words = nodeOffsets(boundsOf[schema.bounds].words).value + (schema.value.words ?? 1);
  // Packed as tightly as an even number of words allows: what fits into the processor's caches counts for more in a
  // search than nodes that never straddle two lines (measured: 24 bytes a node against 32, 15 % faster).
  return Math.ceil(words / 2) * 8;
}

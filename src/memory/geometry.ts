/**
 * The shape of a cache's slabs, and the descriptor that tells it to every thread.
 *
 *   slab   | FREE OBJECTS HOLDER | out bits | tracked bits | remote bits (slub) | side words | pad | colour | object 0 | object 1 | ...
 *
 * Law table
 *   word                 class
 *   descriptor           immutable once its STATE (atomic) says so; PARTIAL, SLABS, EMPTY, DEPOT, DEPOT_SHEAVES, NEXT_COLOUR, OVERDRAWN locked by the arena lock
 */

import { type Address, field, type Order, PAGE_WORDS } from "./address.js";
import { CACHE_WORDS, type Layout } from "./layout.js";
import type { Memory } from "./memory.js";

/** Offsets of a cache descriptor's words. */
export const Descriptor = {
  STATE: 0,
  OBJECT_WORDS: 1,
  STRIDE: 2,
  ORDER: 3,
  CAPACITY: 4,
  BITMAP_WORDS: 5,
  SIDE: 6,
  OBJECTS: 7,
  COLOURS: 8,
  ALIGN: 9,
  FLAGS: 10,
  PARTIAL: 11,
  SLABS: 12,
  EMPTY: 13,
  /** List of full sheaves, and how many (slab). */
  DEPOT: 14,
  DEPOT_SHEAVES: 15,
  /** Colour of the next slab. */
  NEXT_COLOUR: 16,
  /** 1 when the cache has a page of the reserve (reserve.ts). */
  OVERDRAWN: 17,
  NAME: 20,
} as const;

const READY = 1;
/** Bytes of a cache's name that are kept. */
const NAME_BYTES = 48;

/** Bits of FLAGS. */
export const CacheFlag = {
  /** Objects are made by a constructor when their slab is, and keep its work between uses. */
  CONSTRUCTED: 1,
  /** A slab's pages go back only after a grace period, while its objects may be used anew at once. */
  TYPESAFE: 2,
  /** Objects are found by recovery while they are live, and have a word of their own beside them. */
  TRACKED: 4,
} as const;

/** Offsets of a slab's words. */
export const SlabWord = { FREE: 0, OBJECTS: 1, HOLDER: 2, BITMAPS: 4 } as const;
/** Objects that a word of remote bits stands for. */
export const REMOTE_BITS = 31;

/** Words of a 64-byte line. */
const LINE = 16;
/** Largest order of a slab: an offset in it is below 2^15 words. */
const MOST_ORDER = 5;

/** Shape of a cache's slabs; all in words but `order`, `capacity`, `colours`. */
export interface Geometry {
  readonly objectWords: number;
  /** From one object to the next. */
  readonly stride: number;
  readonly order: Order;
  /** Objects in a slab. */
  readonly capacity: number;
  /** Words of one bitmap. */
  readonly bitmapWords: number;
  /** Offset of the side words. */
  readonly side: number;
  /** Offset of the first object, in a slab of the first colour. */
  readonly objects: number;
  /** Objects start at a multiple of this. */
  readonly align: number;
  /** Different offsets at which a slab's first object may start, `align` apart: 1 for none. */
  readonly colours: number;
}

/** What a cache asks of its slabs. */
export interface Shape {
  readonly objectWords: number;
  /** Words that are kept before and after each object, for debugging. */
  readonly before?: number;
  readonly after?: number;
  /** Words; a power of two. Default: the largest power of two that divides the size, at most a line. */
  readonly align?: number;
  /** Whether slabs start at different offsets, so that objects of equal number do not fall on the same cache sets. */
  readonly colour?: boolean;
  /** Whether slabs have remote bits. */
  readonly remote?: boolean;
}

function geometryAt(order: number, { objectWords, before = 0, after = 0, align, colour = false, remote = false }: Shape): Geometry {
  const words = PAGE_WORDS << order;
  // Objects of 16, 32 or 64 bytes never straddle two lines.
  const step = align ?? Math.min(LINE, objectWords & -objectWords);
  const stride = Math.ceil((before + objectWords + after) / step) * step;
  let capacity = Math.floor((words - SlabWord.BITMAPS) / (stride + 1));
  for (; ; capacity--) {
    const bitmapWords = Math.ceil(capacity / 32);
    const side = SlabWord.BITMAPS + 2 * bitmapWords + (remote ? Math.ceil(capacity / REMOTE_BITS) : 0);
    const objects = Math.ceil((side + capacity + before) / step) * step;
    const end = objects - before + capacity * stride;
    if (end > words) continue;
    const colours = colour ? 1 + Math.floor((words - end) / Math.max(step, LINE)) : 1;
    return { objectWords, stride, order: order as Order, capacity, bitmapWords, side, objects, align: step, colours };
  }
}

/** The smallest slab that holds 8 objects with at most an eighth wasted, or else the least wasteful one. */
export function geometryFor(shape: Shape): Geometry {
  let best: Geometry | undefined;
  let bestWaste = 1;
  for (let order = 0; order <= MOST_ORDER; order++) {
    const geometry = geometryAt(order, shape);
    const words = PAGE_WORDS << order;
    const waste = (words - geometry.capacity * (geometry.stride + 1)) / words;
    if (geometry.capacity >= 8 && waste <= 1 / 8) return geometry;
    if (waste < bestWaste) {
      best = geometry;
      bestWaste = waste;
    }
  }
  return best as Geometry;
}

/** From one colour to the next, in words. */
export const colourStep = ({ align }: Geometry): number => Math.max(align, LINE);

/** Writes a new cache's descriptor. With the arena lock held; `descriptor` is unused. */
export function writeDescriptor(memory: Memory, descriptor: Address, name: string, geometry: Geometry, flags = 0): void {
  memory.fill(field(descriptor, 1), CACHE_WORDS - 1, 0);
  const set = (word: number, value: number): void => memory.write(field(descriptor, word), value);
  set(Descriptor.OBJECT_WORDS, geometry.objectWords);
  set(Descriptor.STRIDE, geometry.stride);
  set(Descriptor.ORDER, geometry.order);
  set(Descriptor.CAPACITY, geometry.capacity);
  set(Descriptor.BITMAP_WORDS, geometry.bitmapWords);
  set(Descriptor.SIDE, geometry.side);
  set(Descriptor.OBJECTS, geometry.objects);
  set(Descriptor.COLOURS, geometry.colours);
  set(Descriptor.ALIGN, geometry.align);
  set(Descriptor.FLAGS, flags);
  const bytes = new Uint8Array(NAME_BYTES);
  new TextEncoder().encodeInto(name, bytes);
  memory.writeBytes(field(descriptor, Descriptor.NAME), bytes);
  memory.store(field(descriptor, Descriptor.STATE), READY); // commit
}

/** What a descriptor says of its slabs. */
export function readGeometry(memory: Memory, descriptor: Address): Geometry & { readonly flags: number } {
  const get = (word: number): number => memory.read(field(descriptor, word));
  return {
    objectWords: get(Descriptor.OBJECT_WORDS),
    stride: get(Descriptor.STRIDE),
    order: get(Descriptor.ORDER) as Order,
    capacity: get(Descriptor.CAPACITY),
    bitmapWords: get(Descriptor.BITMAP_WORDS),
    side: get(Descriptor.SIDE),
    objects: get(Descriptor.OBJECTS),
    align: get(Descriptor.ALIGN),
    colours: get(Descriptor.COLOURS),
    flags: get(Descriptor.FLAGS),
  };
}

/** The descriptor of the cache of this index. */
export function descriptorAt(layout: Layout, index: number): Address {
  return field(layout.cacheTable, index * CACHE_WORDS);
}

/** Whether a descriptor is in use. */
export function isReady(memory: Memory, descriptor: Address): boolean {
  return memory.load(field(descriptor, Descriptor.STATE)) === READY;
}

/** Name of the cache of a descriptor. */
export function cacheName(memory: Memory, descriptor: Address): string {
  const bytes = new Uint8Array(NAME_BYTES);
  memory.readBytes(field(descriptor, Descriptor.NAME), bytes);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

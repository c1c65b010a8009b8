/** Values that tell whose they are: each carries its key, its version and a check of both, so that a torn value, or another key's, is seen. */

import { type StructView, struct, u32 } from "../../src/index.js";
import type { StructOf } from "../../src/values/struct.js";
import { checkOf } from "../support/seed.js";

const fields = { key: u32, version: u32, check: u32 };
export const stamped = struct(fields);
export type Stamped = StructOf<typeof fields>;
export type StampedView = StructView<typeof fields>;

const checkFor = (key: number, version: number): number => checkOf(checkOf(version) ^ key);

export const stamp = (key: number, version: number): Stamped => ({ key, version, check: checkFor(key, version) });

export const isStamped = (value: Stamped, key: number): boolean => value.key === key && value.check === checkFor(key, value.version);

/** The same, of a size of its own: several size classes take part. */
export interface StampedText extends Stamped {
  readonly text: string;
}

const textOf = (key: number, version: number): string => "é".repeat((key + version) % 300);

export const stampText = (key: number, version: number): StampedText => ({ ...stamp(key, version), text: textOf(key, version) });

export const isStampedText = (value: StampedText, key: number): boolean => isStamped(value, key) && value.text === textOf(key, value.version);

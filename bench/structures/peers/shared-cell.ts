/** shared.cell of this build, of a number and of an object. */

import { jsonOf, Shared, u32 } from "../../../src/index.js";

/** What is read of a cell. */
export interface Readable<T> {
  get(): T;
}

export interface Cells<T> {
  readonly numbers: Readable<number>;
  readonly objects: Readable<T>;
}

/** Of this object, and of its number. */
export function openCells<T extends { readonly limit: number }>(value: T): Cells<T> {
  const shared = Shared.create({ bytes: 2 ** 21 });
  return {
    numbers: shared.cell("number", u32, { initial: value.limit }),
    objects: shared.cell("object", jsonOf<T>(), { initial: value }),
  };
}

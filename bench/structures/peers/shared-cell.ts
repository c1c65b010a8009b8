/** shared.cell of this build, of a number and of an object. */

import { StandInCell } from "../stand-in.js";

export interface Cells<T> {
  readonly numbers: { get(): number };
  readonly objects: { get(): T };
}

export function openCells<T extends { readonly limit: number }>(value: T): Cells<T> {
  return { numbers: new StandInCell(value.limit), objects: new StandInCell(value) };
}

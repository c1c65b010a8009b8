/** Refusals of values and of schemas. */

import { QuiesceError } from "../memory/errors.js";

/** A value that its codec cannot hold. */
export class ValueError extends QuiesceError {
  constructor(code: "ERR_VALUE_TYPE" | "ERR_VALUE_TOO_LARGE", message: string) {
    super(code, message);
  }
}

/** A value as it is shown in a message. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  return typeof value === "object" && value !== null ? (value.constructor?.name ?? "an object") : String(value);
}

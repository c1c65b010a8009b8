/** Refusals of names and handles. */

import { QuiesceError } from "../memory/errors.js";

/** A name that is taken by a structure of another schema, or that cannot be one. */
export class SchemaError extends QuiesceError {
  constructor(code: "ERR_SCHEMA_MISMATCH" | "ERR_NAME" | "ERR_TOO_MANY_STRUCTURES" | "ERR_TOO_MANY_DOMAINS", message: string) {
    super(code, message);
  }
}

/** Something that is not a handle, or not a worker. */
export class HandleError extends QuiesceError {
  constructor(code: "ERR_HANDLE" | "ERR_WORKER" | "ERR_THREAD_NAME", message: string) {
    super(code, message);
  }
}

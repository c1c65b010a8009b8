/**
 * A failure that is the user's to mend: the message says what was given, what is allowed and
 * what to do, and is printed without a stack. Anything else that is thrown is our bug.
 */
export class CliError extends Error {
  /** Exit status of the process: 2 for wrong use or a missing part, 1 for a failed run. */
  readonly status: number;

  constructor(message: string, status = 2) {
    super(message);
    this.name = "CliError";
    this.status = status;
  }
}

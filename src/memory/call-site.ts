/**
 * The place in the program that is running, as text.
 *
 * Law table: this file owns no word.
 */

/** Frames that are kept, and how many of this library's own may come on top of them. */
const FRAMES = 6;
const OWN_FRAMES = 8;

/** Where this file's directory is: its frames say nothing to whoever calls the allocators. */
const OWN = new URL(".", import.meta.url).href;
const OWN_PATH = decodeURI(new URL(".", import.meta.url).pathname);

/** The stack, not yet trimmed: cheap to compare. */
export function rawStack(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES + OWN_FRAMES;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = limit;
  return stack;
}

/** Lines of the callers: not the message, which not every engine puts first, nor the platform's own, nor the allocators' on top. */
export function trimStack(stack: string): string {
  const lines = stack.split("\n").filter((line) => /:\d+:\d+/.test(line) && !/[( ]node:/.test(line));
  const first = lines.findIndex((line) => !line.includes(OWN) && !line.includes(OWN_PATH));
  return lines.slice(Math.max(0, first), Math.max(0, first) + FRAMES).join("\n");
}

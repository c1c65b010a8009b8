/**
 * The place in the program that is running, as text.
 *
 * Law table: this file owns no word.
 */

/** Frames that are kept, and how many of this library's own may come on top of them. */
const FRAMES = 10;
const OWN_FRAMES = 8;

/** Whether a line of a stack lies in a directory of this library; engines write it as an address or as a path. */
function isIn(directory: URL): (line: string) => boolean {
  const path = decodeURI(directory.pathname);
  return (line) => line.includes(directory.href) || line.includes(path);
}

/** The allocators' own frames say nothing to whoever calls them. */
const isOwn = isIn(new URL(".", import.meta.url));
const isLibrary = isIn(new URL("..", import.meta.url));

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
  const first = lines.findIndex((line) => !isOwn(line));
  return lines.slice(Math.max(0, first), Math.max(0, first) + FRAMES).join("\n");
}

/** The line of a stack that calls this library. */
export function callerIn(stack: string): string {
  const lines = stack.split("\n");
  return (lines.find((line) => !isLibrary(line)) ?? lines[0] ?? "").trim();
}

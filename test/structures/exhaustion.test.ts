/**
 * Every structure in arenas of several sizes, filled until memory runs out: what was stored is there, what was refused changed nothing, and once all is taken
 * out the arena is as at its start.
 *
 * QUIESCE_FILL_BYTES=4294967296 fills one of that size too (minutes, and so much memory).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random, seedOf } from "../../check/support/seed.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { OutOfMemoryError, Shared, u16, utf8 } from "../../src/index.js";
import { Arena } from "../../src/memory/arena.js";
import { leastBytes } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { rcuWords } from "../../src/rcu/flavors/open.js";
import { DIRECTORY_WORDS } from "../../src/shared/directory.js";
import { boundsOf } from "../../src/structures/schema.js";
import type { Codec } from "../../src/values/codec.js";
import { type StartingState, sameState, startingState } from "../support/starting-state.js";

/** A structure as this test sees it: elements by numbers, each with the value that its number gives. */
interface Elements {
  /** Fill with the elements 0 to `count` - 1 at once. */
  load(count: number): void;
  put(n: number): void;
  /** Whether element n is there, with its value. */
  holds(n: number): boolean;
  remove(n: number): boolean;
  clear(): void;
  readonly size: number;
}

interface Kind {
  readonly name: string;
  /** About the bytes of an element. */
  readonly bytes: number;
  open(shared: Shared): Elements;
}

const text = (n: number): string => `text ${n} `.repeat(n % 20);

function intervalMapOf<T>(bounds: keyof typeof boundsOf, codec: Codec<T, T>, bytes: number, value: (n: number) => T): Kind {
  const wide = typeof boundsOf[bounds].least === "bigint";
  return {
    name: `intervalMap of ${bounds} and ${codec.name}`,
    bytes,
    open(shared) {
      // The types of keys differ; what is done with them does not.
      const map = shared.intervalMap("elements", { bounds: bounds as "u32", value: codec });
      const key = (n: number): number => (wide ? ((BigInt(n) << 30n) as unknown as number) : n);
      return {
        load: (count) =>
          map.load(
            (function* () {
              for (let n = 0; n < count; n++) yield [key(4 * n), key(4 * n + 2), value(n)] as const;
            })(),
          ),
        put: (n) => map.set(key(4 * n), key(4 * n + 2), value(n)),
        holds: (n) => map.get(key(4 * n + 1)) === value(n) && !map.has(key(4 * n + 3)),
        remove: (n) => map.delete(key(4 * n), key(4 * n + 2)),
        clear: () => map.clear(),
        get size() {
          return map.size;
        },
      };
    },
  };
}

const kinds: readonly Kind[] = (Object.keys(boundsOf) as (keyof typeof boundsOf)[]).flatMap((bounds) => [
  intervalMapOf(bounds, u16, 8 * boundsOf[bounds].words + 20, (n) => n % 65536),
  intervalMapOf(bounds, utf8, 8 * boundsOf[bounds].words + 128, text),
]);

function stateOf(shared: Shared): StartingState {
  const arena = new Arena(new SharedMemory(shared.handle.buffer), 999);
  const state = startingState(arena);
  arena.detach();
  return state;
}

function refused(fn: () => void): boolean {
  try {
    fn();
    return false;
  } catch (error) {
    assert.ok(error instanceof OutOfMemoryError, String(error));
    return true;
  }
}

/** Put elements until several in a row are refused; gives how many are in. */
function fill(elements: Elements, first: number): number {
  let count = first;
  for (let refusals = 0; refusals < 3; ) {
    if (refused(() => elements.put(count))) {
      refusals++;
      assert.equal(elements.size, count, "a refusal changes nothing");
      assert.equal(elements.holds(count), false);
    } else count++;
  }
  return count;
}

function allAreThere(elements: Elements, from: number, count: number, step: number): void {
  for (let n = from; n < count; n += step) assert.ok(elements.holds(n), `element ${n} of ${count} is lost`);
}

function exhaust({ name, bytes: each, open }: Kind, bytes: number, random: Random): void {
  const making = Shared.create({ bytes });
  const { handle } = making;
  open(making);
  making.close();
  const start = stateOf(making);
  // How it is emptied: at once, or one by one in this order; large arenas differ from small ones by their size only.
  for (const order of bytes < 2 ** 23 ? ["clear", "first", "last", "any"] : bytes < 2 ** 24 ? ["clear", "any"] : ["clear"]) {
    const shared = Shared.attach(handle);
    const elements = open(shared);
    const many = Math.floor(bytes / each / 3);
    if (bytes >= 2 ** 24 && !refused(() => elements.load(many))) assert.equal(elements.size, many);
    const count = fill(elements, elements.size);
    const when = `${name}, ${count} elements, ${order}`;
    assert.ok(count * each * 3 > (start.freePages * 4096) / 2, `${when}: too few`);
    allAreThere(elements, 0, count, 1 + Math.floor(count / 300_000));
    if (bytes < 2 ** 24) assert.deepEqual(shared.check(), [], when);
    if (order === "clear") elements.clear();
    else {
      const left = Uint32Array.from({ length: count }, (_, i) => (order === "last" ? count - 1 - i : i));
      if (order === "any") {
        for (let i = count - 1; i > 0; i--) {
          const j = random.below(i + 1);
          [left[i], left[j]] = [left[j] as number, left[i] as number];
        }
      }
      for (const n of left) assert.ok(elements.remove(n), `${when}: ${n}`);
    }
    assert.equal(elements.size, 0, when);
    assert.deepEqual(shared.check(), [], when);
    shared.domain.flushSync(LIMIT);
    shared.close();
    sameState(stateOf(shared), start, when);
  }
}

const LEAST = leastBytes({ rootWords: rcuWords({}, {}) + DIRECTORY_WORDS });

for (const kind of kinds) {
  for (const [bytes, shown] of [
    [LEAST, "the least arena"],
    [2 ** 21, "2 MiB"],
  ] as const) {
    test(`${kind.name} fills ${shown}, and is emptied in every order`, () => exhaust(kind, bytes, new Random(seedOf(`${kind.name} in ${shown}`))));
  }
}

test("an interval map fills 8 MiB, and is emptied", () => exhaust(kinds[3] as Kind, 2 ** 23, new Random(seedOf("8 MiB"))));
test("an interval map fills 64 MiB, and is cleared", () => exhaust(kinds[1] as Kind, 2 ** 26, new Random(seedOf("64 MiB"))));

const more = Number(process.env.QUIESCE_FILL_BYTES ?? 0);
if (more > 0) test(`an interval map fills ${more} bytes, and is cleared`, () => exhaust(kinds[1] as Kind, more, new Random(seedOf(`${more} bytes`))));

// The lecture's example (L1 to L4) on two threads: {A,C,D} is copied and made {A,C,B,D}, while the list becomes {A,E,D}. Run: node examples/lecture-merge.mjs
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { ConflictError, jsonOf, mergeLists, Shared, utf8 } from "quiesce";
import { SpinLock } from "quiesce/memory";

const shared = isMainThread ? Shared.create({ bytes: 2 ** 21 }) : Shared.attach(workerData);
const { domain } = shared;
const { heap, memory } = domain.arena;

// 1. As the library has it: a cell, whose commits are a swap, a merge, or a refusal that has all three.
const cell = shared.cell("L", jsonOf());

// 2. As the lecture has it, step by step: a pointer to the list, its version V, and a spin lock; quiesce gives back the older list when nobody reads it any more.
const words = isMainThread ? Array.from({ length: 3 }, () => heap.kmalloc(4)) : workerData.words;
const [L, V] = words;
if (isMainThread) for (const word of words) memory.store(word, 0);
const spin = new SpinLock(memory, words[2], heap.slot);
const BYTES = 256;

const read = (list) => (list === 0 ? [] : JSON.parse(utf8.read(memory, list)));

/** Steps 1 to 4: lock, copy L to L', unlock. The copy is this thread's own, so nothing has to be allocated under the lock. */
const copy = () => spin.withLock(() => ({ base: read(memory.load(L)), version: memory.load(V) }));

/** Step 6: lock, compare V' with V, swap L' in or merge, unlock, free the older list. */
function update({ base, version }, mine) {
  const block = heap.kmalloc(BYTES); // before the lock: it may wait
  const [older, how] = spin.withLock(() => {
    const theirs = read(memory.load(L));
    const distance = memory.load(V) - version;
    const list = distance === 0 ? mine : mergeLists(base, mine, theirs);
    utf8.write(memory, block, utf8.prepare(JSON.stringify(list)));
    memory.store(V, memory.load(V) + 1);
    return [domain.replacePointer(L, block), distance === 0 ? "V is V': a swap" : `V is V' + ${distance}: a merge`];
  });
  if (older !== 0) domain.retire(older);
  return how;
}

const show = (list) => `{${list.join(",")}}`;
const now = () => show(domain.read(() => read(domain.dereference(L)))); // who only reads takes no lock

if (!isMainThread) {
  // While the other works on its copy: C goes, E comes.
  cell.update(([a, , d]) => [a, "E", d]);
  update(copy(), ["A", "E", "D"]);
  parentPort.postMessage([show(cell.get()), now()]);
  shared.close();
} else {
  cell.set(["A", "C", "D"]);
  update(copy(), ["A", "C", "D"]);

  const mine = cell.copy(); // no lock, no time limit
  const ours = copy();
  mine.value.splice(2, 0, "B");
  const alone = cell.copy(); // who makes changes of his own need not commit them

  const worker = new Worker(new URL(import.meta.url), { workerData: { ...shared.handle, words } });
  shared.watch(worker);
  const [theirs] = await once(worker, "message");
  console.log(`copied {A,C,D} and made it ${show(mine.value)}; meanwhile the list became ${theirs.join(" and ")}`);

  try {
    cell.commit(mine);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    console.log(`without a merge: ${error.code}, base ${show(error.base)}, mine ${show(error.mine)}, theirs ${show(error.theirs)}, distance ${error.distance}`);
  }
  const { version, distance } = cell.commit(mine, { merge: mergeLists });
  console.log(`the cell: version ${version}, merged over ${distance}: ${show(cell.get())}`);
  console.log(`by hand:  ${update(ours, mine.value)}: ${now()}`);
  const again = copy();
  console.log(`by hand:  ${update(again, [...again.base, "F"])}: ${now()}`);
  console.log(`the copy that nobody committed is still ${show(alone.value)}`);
  console.log("swaps, merges, conflicts:", cell.stats().swaps, cell.stats().merges, cell.stats().conflicts);
  console.log("violated invariants:", shared.check().length);
  await once(worker, "exit");
  shared.close();
}

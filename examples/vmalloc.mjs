// vmalloc, swapping to a file, kvmalloc and a mempool (L7, L11). Run: node examples/vmalloc.mjs
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Shared } from "quiesce";
import { createMempool, FileStore, isVirtual, Vmalloc } from "quiesce/memory";

const shared = Shared.create({ bytes: 4 * 2 ** 20 });
const { heap } = shared.domain.arena;
const path = `${tmpdir()}/quiesce-example-${process.pid}`;
const store = new FileStore(path);
const vm = new Vmalloc(heap, { store });
const codeOf = (fn) => {
  try {
    return fn();
  } catch ({ code }) {
    return code;
  }
};

// Contiguous for its users, made of single pages, and a page behind it that nobody can touch.
const area = vm.area(vm.vmalloc(1_000_000, { zero: true }));
area.writeBytes(123_449, new TextEncoder().encode("across pages"));
console.log(`at 123456: ${String.fromCharCode(area.read(123_456) & 255)}; in the guard page: ${codeOf(() => vm.read(area.address + area.bytes / 4))}`);
vm.vfree(area.address);

// Four times the arena's size: what is cold lies in the file. A touch may wait, so it is refused in a section.
const large = vm.area(vm.vmalloc(16 * 2 ** 20, { swap: true }));
for (let offset = 0; offset < large.bytes; offset += 4096) large.write(offset, offset);
let wrong = 0;
for (let offset = 0; offset < large.bytes; offset += 4096) if (large.read(offset) !== offset) wrong++;
const [{ pages, swapped }] = vm.info();
console.log(`${pages} pages, most of them in the file: ${swapped > pages / 2}; wrong: ${wrong}`);
console.log(`in a section: ${shared.domain.read(() => codeOf(() => large.read(0)))}`);
vm.vfree(large.address);

// kmalloc where there is a contiguous block, vmalloc where there is none.
console.log(`virtual: ${[100, 3_000_000].map((bytes) => isVirtual(vm.kvmalloc(bytes))).join(", ")}`);

// A reserve: two elements that can be had when the allocator has none.
const pool = createMempool(heap, { min: 2, bytes: 512 });
while (heap.kmalloc(512, 1) !== 0); // its elements are from kmalloc with a tag
const [first, second] = [pool.allocNow(), pool.allocNow()];
const waiting = pool.alloc({ signal: AbortSignal.timeout(5000) });
pool.free(first);
console.log(`who waited has what came back: ${(await waiting) === first}; another is held: ${second !== first}`);
console.log(`violated invariants: ${vm.check().length + pool.check().length + shared.check().length}`);
shared.close();
store.close();
rmSync(path);

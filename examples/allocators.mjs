// kmalloc, pages and the buddy system (L6, L9, L10). Run: node examples/allocators.mjs
import { Shared } from "quiesce";
import { formatBuddyInfo, MAX_KMALLOC_BYTES } from "quiesce/memory";

const shared = Shared.create({ bytes: 16 * 2 ** 20 });
const { heap, memory } = shared.domain.arena;
const freeBlocks = () => heap.buddyinfo().blocks.join(" ");

// Any size, contiguous; rounded up to a power of two, 96 or 192 bytes. NULL (0) when there is no such block.
for (const bytes of [0, 1, 12, 100, 5000, 100_000]) {
  const block = heap.kmalloc(bytes);
  console.log(`kmalloc(${bytes}) gives ${heap.usableBytes(block)} bytes`);
  heap.kfree(block);
}
console.log(`kmalloc(${MAX_KMALLOC_BYTES + 1}) gives ${heap.kmalloc(MAX_KMALLOC_BYTES + 1)}`);

// One page; 2^3 pages in one block; five separate pages in an array, that the caller spreads its data over.
heap.withArenaLock(() => heap.shrink());
console.log(`free blocks by order: ${freeBlocks()}`);
const page = heap.allocPages(0);
const eight = heap.allocPages(3);
const pages = heap.allocPagesBulk(5, { zero: true });
for (const [i, address] of pages.entries()) memory.write(address, i);
console.log(`while handed out:     ${freeBlocks()}`);
for (const block of [page, eight, ...pages]) heap.freePages(block);
console.log(`joined again:         ${freeBlocks()}`);
console.log(formatBuddyInfo(heap.buddyinfo()));

// Where nothing may sleep (L5): pages at once, or none.
const urgent = heap.allocPages(0, { atomic: true });
console.log(`without sleeping:     ${urgent === 0 ? "none, somebody holds the arena lock" : "a page"}`);
if (urgent !== 0) heap.freePages(urgent);
console.log(`violated invariants:  ${shared.check().length}`);
shared.close();

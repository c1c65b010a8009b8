// Pages, caches, kmalloc, and what shows how they stand (L5, L6, L8 to L11). Run: node examples/allocators.mjs [slab|slub|slob]
import { Shared } from "quiesce";
import { formatBuddyInfo, formatSlabInfo, isVirtual, MAX_KMALLOC_BYTES, Vmalloc } from "quiesce/memory";

const shared = Shared.create({ bytes: 16 * 2 ** 20, allocator: process.argv[2] ?? "slab" });
const { heap, memory } = shared.domain.arena;
const freeBlocks = () => heap.buddyinfo().blocks.join(" ");

// Any size, contiguous; rounded up to a power of two, 96 or 192 bytes. NULL (0) when there is no such block.
for (const bytes of [0, 1, 12, 100, 5000, 100_000]) {
  const block = heap.kmalloc(bytes);
  console.log(`kmalloc(${bytes}) gives ${heap.usableBytes(block)} bytes`);
  heap.kfree(block);
}

// Then kvmalloc: scattered pages that are contiguous in their addresses.
const vm = new Vmalloc(heap);
const large = vm.kvmalloc(MAX_KMALLOC_BYTES + 1);
console.log(`kmalloc(${MAX_KMALLOC_BYTES + 1}) gives ${heap.kmalloc(MAX_KMALLOC_BYTES + 1)}; kvmalloc's is virtual: ${isVirtual(large)}`);
vm.kvfree(large);

// One page; 2^3 pages in one block; five separate pages in an array, that the caller spreads its data over.
heap.trim(); // what is kept for speed
console.log(`free blocks by order: ${freeBlocks()}`);
const blocks = [heap.allocPages(0), heap.allocPages(3), ...heap.allocPagesBulk(5, { zero: true })];
for (const [i, address] of blocks.entries()) memory.write(address, i);
console.log(`while handed out:     ${freeBlocks()}`);
for (const block of blocks) heap.freePages(block);
heap.trim();
console.log(`joined again:         ${freeBlocks()}\n${formatBuddyInfo(heap.buddyinfo())}`);

// Where nothing may sleep (L5): pages at once, or none.
const urgent = heap.allocPages(0, { atomic: true });
console.log(`without sleeping:     ${urgent === 0 ? "none, somebody holds the arena lock" : "a page"}`);
if (urgent !== 0) heap.freePages(urgent);

// A cache: objects of one size, no rounding; a tracked one's have a word beside them for their owner, by which recovery finds them.
const nodes = heap.createCache("nodes", 24, { tracked: true, colour: true });
const node = heap.cache(nodes).alloc(7);
console.log(`live nodes: ${heap.liveObjects(nodes).length}, the side word says ${memory.load(heap.cache(nodes).sideOf(node))}`);
console.log(formatSlabInfo(heap.slabinfo()));
heap.cache(nodes).free(node);
console.log(`violated invariants:  ${shared.check().length}`);
shared.close();

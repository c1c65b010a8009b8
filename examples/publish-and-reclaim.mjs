// Publishing, removal and reclamation with the core API (K1, S1, S2). Run: node examples/publish-and-reclaim.mjs
import { Shared } from "quiesce";
import { field } from "quiesce/memory";

const shared = Shared.create({ bytes: 2 ** 21 });
const { domain } = shared;
const { memory, heap } = domain.arena;

// struct super_duper { int meaning, of, life; };  struct super_duper *ptr;
const [MEANING, OF, LIFE] = [0, 1, 2];
const ptr = heap.kmalloc(4);
domain.assignPointer(ptr, 0);

function newSuperDuper(meaning, of, life) {
  const block = heap.kmalloc(12);
  memory.write(field(block, MEANING), meaning); // private until it is published: plain writes
  memory.write(field(block, OF), of);
  memory.write(field(block, LIFE), life);
  return block;
}

domain.assignPointer(ptr, newSuperDuper(1, 42, 23));

domain.read(() => {
  const old = domain.dereference(ptr);

  // Removal: new readers get the new structure, this one keeps the old, whole.
  domain.assignPointer(ptr, newSuperDuper(2, 43, 24));
  const seen = [MEANING, OF, LIFE].map((word) => memory.read(field(old, word)));
  console.log("a reader that was there before still sees", seen);
  console.log("one that comes now sees", memory.read(field(domain.dereference(ptr), LIFE)));

  // Reclamation: the allocator gets the old one back after a grace period, which cannot end before this section does.
  domain.retire(old);
  console.log("waiting for a grace period:", domain.stats().waiting);
});

domain.call(() => {
  console.log("every section that was open then has ended");
});
await domain.synchronize();
await domain.barrier(); // its callback has run
while (domain.stats().waiting > 0) await new Promise((resolve) => setTimeout(resolve, 1)); // given back by itself, a turn or two later
console.log("waiting now:", domain.stats().waiting);
shared.close();

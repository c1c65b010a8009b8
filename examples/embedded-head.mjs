// call_rcu with an embedded rcu_head, and container_of, as the kernel book has them (K3). Run: node examples/embedded-head.mjs
import { containerOf, i32, offsetOf, rcuHead, Shared, struct } from "quiesce";
import { field } from "quiesce/memory";

const shared = Shared.create({ bytes: 2 ** 21 });
const { domain } = shared;
const { heap, memory } = domain.arena;

// struct super_duper { struct rcu_head head; int meaning, of, life; };
const superDuper = struct({ head: rcuHead, meaning: i32, of: i32, life: i32 });

function newSuperDuper(meaning, of, life) {
  const ptr = heap.kmalloc(superDuper.words * 4);
  superDuper.write(memory, ptr, { head: 0, meaning, of, life });
  return ptr;
}

// void super_duper_free(struct rcu_head *head) { kfree(container_of(head, struct super_duper, head)); }
function super_duper_free(head) {
  const ptr = containerOf(head, superDuper, "head");
  console.log("no reader is left: freeing", superDuper.read(memory, ptr));
  heap.kfree(ptr);
}

const ptr = heap.kmalloc(4);
domain.assignPointer(ptr, newSuperDuper(1, 42, 23));

domain.read(() => {
  const old = domain.dereference(ptr);
  domain.assignPointer(ptr, newSuperDuper(2, 42, 23));
  const head = field(old, offsetOf(superDuper, "head")); // &old->head
  domain.callHead(head, super_duper_free); //               call_rcu(&old->head, super_duper_free)
  console.log("a reader that was there before still reads meaning =", superDuper.read(memory, old).meaning);
  try {
    domain.callHead(head, super_duper_free);
  } catch (error) {
    console.log("giving it up twice is refused:", error.code);
  }
});

await domain.barrier(); // rcu_barrier(): all callbacks have run
console.log("new readers read meaning =", domain.read(() => superDuper.read(memory, domain.dereference(ptr)).meaning));
shared.close();

// Readers that sleep (B3): a phase domain has old readers and new readers, so its sections may await. Run: node examples/sleeping-readers.mjs
import { Shared, utf8 } from "quiesce";

const shared = Shared.create({ bytes: 2 ** 21 });
const { heap, memory } = shared.domain.arena;
const pages = shared.phaseDomain("pages"); // grace periods of its own: who sleeps here holds up nobody else

function publish(text) {
  const prepared = utf8.prepare(text);
  const page = heap.kmalloc(utf8.bytes(prepared));
  utf8.write(memory, page, prepared);
  return page;
}

const front = heap.kmalloc(4);
pages.assignPointer(front, publish("the old front page"));
let sent;
const isSent = new Promise((resolve) => (sent = resolve));

const reader = pages.readAsync(async () => {
  const page = pages.dereference(front);
  console.log("old reader: begins with", JSON.stringify(utf8.read(memory, page)));
  await isSent; // to a slow client, say
  console.log("old reader: ends with  ", JSON.stringify(utf8.read(memory, page)));
});

const old = pages.replacePointer(front, publish("the new front page"));
pages.retire(old);
const newReader = await pages.readAsync(async () => utf8.read(memory, pages.dereference(front)));
console.log("new reader: sees", JSON.stringify(newReader));

await shared.domain.synchronize();
console.log("the main domain's grace period did not wait for the sleeper; still waiting:", pages.stats().waiting);
sent();
await pages.synchronize(); // old readers only: new ones cannot hold it up for ever
await reader;
pages.flushSync(1000);
console.log("the old reader has ended; still waiting:", pages.stats().waiting);

// A guard or an index may end in another turn, too.
const index = pages.readLock();
setTimeout(() => pages.readUnlock(index), 5);
await pages.synchronize();
console.log("sections open:", pages.reader.nesting);
shared.close();

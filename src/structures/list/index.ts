/** The kernel's lists, for people who embed them in structs of their own (`quiesce/structures`). */
export { type ListCode, ListError } from "./errors.js";
export { RcuHlist } from "./hlist.js";
export { RcuHlistNulls } from "./hlist-nulls.js";
export { RcuList } from "./list.js";
export { type EachEntry, entryOf, LIST_POISON2, type ListLock, type ListOptions } from "./list-view.js";

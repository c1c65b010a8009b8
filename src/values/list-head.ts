/**
 * What a struct embeds to be the head of a list, or an entry of one (K4; structures/list/ says what is in the words): the kernel's `struct list_head` and its like.
 *
 * All are written as 0. That makes an empty `hlistHead`, and an entry that is in no list; a `listHead` or a `hlistNullsHead` becomes the head of a list by `initHead`.
 */

import type { FixedCodec } from "./codec.js";
import { embedded } from "./embedded.js";

/** Head or entry of an `RcuList`: next, prev. */
export const listHead: FixedCodec<number> = embedded("listHead", 2);

/** Head of an `RcuHlist`: first. */
export const hlistHead: FixedCodec<number> = embedded("hlistHead", 1);

/** Entry of an `RcuHlist`: next, pprev. */
export const hlistNode: FixedCodec<number> = embedded("hlistNode", 2);

/** Head of an `RcuHlistNulls`: first. */
export const hlistNullsHead: FixedCodec<number> = embedded("hlistNullsHead", 1);

/** Entry of an `RcuHlistNulls`: next, pprev. */
export const hlistNullsNode: FixedCodec<number> = embedded("hlistNullsNode", 2);

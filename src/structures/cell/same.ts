/**
 * Structural equality: two values are the same when they would be stored alike, whatever objects they are made of.
 *
 * Primitives compare as Map's keys do (NaN is NaN, -0 is 0); lists element by element; plain objects by their own fields, in any order; sets and
 * maps by their contents, in any order; typed arrays by type and bytes; dates by time. Anything else (functions, objects of classes) is itself only.
 * Values are trees: one that contains itself overflows the stack.
 *
 * Guarantee: `same(a, b)` exactly when an Interner gives both one number.
 */

/** What a value is, as far as comparing and merging go. */
export type Kind = "list" | "set" | "map" | "object" | "bytes" | "date" | "atom";

/** The kind of a value. */
export function kindOf(value: unknown): Kind {
  if (typeof value !== "object" || value === null) return "atom";
  if (Array.isArray(value)) return "list";
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return "object";
  if (value instanceof Map) return "map";
  if (value instanceof Set) return "set";
  if (ArrayBuffer.isView(value)) return "bytes";
  return value instanceof Date ? "date" : "atom";
}

const sameAtom = (a: unknown, b: unknown): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

/** Whether two values are the same. */
export function same(a: unknown, b: unknown): boolean {
  if (sameAtom(a, b)) return true;
  const kind = kindOf(a);
  if (kind === "atom" || kind !== kindOf(b)) return false;
  if (kind === "list") return sameLists(a as unknown[], b as unknown[]);
  if (kind === "object") return sameObjects(a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>);
  const interner = new Interner();
  return interner.idOf(a) === interner.idOf(b);
}

function sameLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
  return true;
}

function sameObjects(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

/** Numbers for values: the same value gets the same number, so that many comparisons cost one look each. */
export class Interner {
  readonly #atoms = new Map<unknown, number>();
  /** By a text made of the parts' numbers. */
  readonly #made = new Map<string, number>();
  #next = 0;

  /** The value's number. */
  idOf(value: unknown): number {
    const kind = kindOf(value);
    return kind === "atom" ? this.#id(this.#atoms, value) : this.#id(this.#made, `${kind} ${this.#textOf(kind, value)}`);
  }

  #id<K>(ids: Map<K, number>, key: K): number {
    const known = ids.get(key);
    if (known !== undefined) return known;
    ids.set(key, this.#next);
    return this.#next++;
  }

  #textOf(kind: Exclude<Kind, "atom">, value: unknown): string {
    switch (kind) {
      case "list":
        return Array.from(value as unknown[], (item) => this.idOf(item)).join();
      case "set":
        return Array.from(value as Set<unknown>, (item) => this.idOf(item))
          .sort((a, b) => a - b)
          .join();
      case "map":
        return Array.from(value as Map<unknown, unknown>, ([key, item]) => `${this.idOf(key)}:${this.idOf(item)}`)
          .sort()
          .join();
      case "object":
        return Object.entries(value as object)
          .map(([name, item]) => `${JSON.stringify(name)}:${this.idOf(item)}`)
          .sort()
          .join();
      case "bytes": {
        const { buffer, byteOffset, byteLength } = value as Uint8Array;
        return `${(value as Uint8Array).constructor.name} ${new Uint8Array(buffer, byteOffset, byteLength).join()}`;
      }
      case "date":
        return String((value as Date).getTime());
    }
  }
}

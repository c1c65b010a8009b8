/** sharedmap 1.2 (Momtchil Momtchev): strings to strings in one SharedArrayBuffer of fixed size, under a lock of the map and one of each line. */

import { MOST_BYTES, type Thing, type Value } from "../data.js";
import { type Held, type OpenOptions, optional } from "../held.js";

interface SharedMap {
  readonly storage: SharedArrayBuffer;
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

/** Of a value as JSON: the longest Thing. */
const OBJECT_CHARACTERS = 64;
const NUMBER_CHARACTERS = 12;
/** It slows down as it fills, so it gets room for half as many again. */
const ROOM = 1.5;

export async function openSharedmap({ kind, size, handle }: OpenOptions): Promise<Held> {
  const { default: Class } = await optional<{ default: { new (size: number, key: number, value: number): SharedMap; prototype: object } }>("sharedmap");
  const objects = kind === "json" || kind === "struct";
  const keyCharacters = kind === "u32" ? NUMBER_CHARACTERS : MOST_BYTES + 4;
  const map =
    handle === undefined
      ? new Class(Math.ceil(size * ROOM), keyCharacters, objects ? OBJECT_CHARACTERS : NUMBER_CHARACTERS)
      : (Object.setPrototypeOf(handle, Class.prototype) as SharedMap);
  const decode = objects ? (text: string): Value => JSON.parse(text) as Thing : Number;
  return {
    map: {
      get: (key) => {
        const text = map.get(String(key));
        return text === undefined ? undefined : decode(text);
      },
      set: (key, value) => map.set(String(key), objects ? JSON.stringify(value) : String(value)),
    },
    handle: { ...map },
    bytes: () => map.storage.byteLength,
    close: async () => {},
  };
}

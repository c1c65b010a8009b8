/** Text as UTF-8, and back. */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // which means: keep it

/** Up to this length, copying characters one by one is faster than a call of the encoder (Node 20.20: 42 ns against 282 for 10, 103 against 294 for 32). */
const SHORT = 32;

/** The text's bytes, in an array of their own. Lone surrogates become U+FFFD. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return (text.length <= SHORT ? encodeAscii(text) : undefined) ?? (encoder.encode(text) as Uint8Array<ArrayBuffer>);
}

function encodeAscii(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return undefined;
    bytes[i] = code;
  }
  return bytes;
}

/** The text of bytes that `encodeText` gave. */
export function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes);
}

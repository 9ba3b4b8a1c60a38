// Divides a text into parts that fit into one entry each. An entry over the limit would be cut, and its text would lose its end.

/** Bytes of an entry besides its text; real entries need less. */
const OVERHEAD_BYTES = 1_024;
/** The most bytes of JSON for one UTF-16 unit: an escape like `\u0000`. */
const BYTES_PER_UNIT = 6;

/** Never divides a surrogate pair. */
export function deltaParts(text: string, entryBytes: number): string[] {
  const size = Math.max(64, Math.floor((entryBytes - OVERHEAD_BYTES) / BYTES_PER_UNIT));
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + size, text.length);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1] as string)) end--;
    parts.push(text.slice(at, end));
    at = end;
  }
  return parts;
}

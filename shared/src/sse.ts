// Encodes one event of a Server-Sent Events stream. Whatever the text is, a client reads exactly one event, and no text can
// pass for a field: the data `a\nevent: bye` arrives as two lines of data.

export interface SseFrame {
  event?: string;
  id?: string;
  /** Milliseconds that the client waits before it reconnects. */
  retry?: number;
  data?: string;
}

// The three line ends of the SSE grammar.
const LINE_END = /\r\n|\r|\n/;
// A browser ignores an id that holds a NUL.
const UNSAFE_IN_FIELD = /[\r\n\0]/;

/** Encodes one event. Throws `RangeError` on a line end or NUL in `event` or `id`; a line end in `data` starts a new data line. */
export function sseFrame({ event, id, retry, data }: SseFrame): string {
  let frame = '';
  if (retry !== undefined) frame += `retry: ${Math.trunc(retry)}\n`;
  if (event !== undefined) frame += `event: ${guarded('event', event)}\n`;
  if (id !== undefined) frame += `id: ${guarded('id', id)}\n`;
  if (data !== undefined) for (const line of data.split(LINE_END)) frame += `data: ${line}\n`;
  return `${frame}\n`;
}

function guarded(field: string, value: string): string {
  if (UNSAFE_IN_FIELD.test(value)) throw new RangeError(`SSE ${field} must not hold a line end or NUL`);
  return value;
}

// A place in the log: one number that orders everything in a namespace. Written `<ms>-<n>`, the form of entry ids and
// SSE cursors.

/**
 * `n` of an entry, or a place between entries. It is a hybrid logical clock in microseconds of the log's host:
 * max(last + 1, now). So it grows without a counter, also across a wiped log, and a time is a position.
 * Stays below 2^53 until the year 2255.
 */
export type Position = number;

/** Before everything: a reader here has seen nothing and asks for all. */
export const BEGINNING: Position = 0;

const FORM = /^\d{1,15}-(\d{1,16})$/;

export function formatPosition(position: Position): string {
  return `${timeOf(position)}-${position}`;
}

/** Parses `<ms>-<n>`; `undefined` for anything else, numbers beyond 2^53 included. `ms` follows from `n` and is not read. */
export function parsePosition(text: string): Position | undefined {
  const n = Number(FORM.exec(text)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(n) ? n : undefined;
}

/** Epoch ms of a position, by the log's clock. */
export function timeOf(position: Position): number {
  return Math.floor(position / 1000);
}

/** The position just before the first entry that the log took at `ms` (epoch ms) or later. */
export function positionAt(ms: number): Position {
  return Math.max(0, Math.trunc(ms) * 1000 - 1);
}

// A place in the log: one number that orders everything in a namespace. It is written `<ms>-<n>`, as in the ids of entries and
// the cursors of streams.

/**
 * `n` of an entry, or a place between entries. It is a hybrid logical clock: the microseconds of the log's host, but at least
 * one more than the last position. So it grows even when the clock is set back or the log is wiped, and a time can be
 * used as a position. For example, 1795224320113456 is an entry of 2026-11-21. It stays below 2^53 until the year 2255.
 */
export type Position = number;

/** Before everything: a reader here has seen nothing, and gets all that the log holds. */
export const BEGINNING: Position = 0;

const FORM = /^\d{1,15}-(\d{1,16})$/;

export function formatPosition(position: Position): string {
  return `${timeOf(position)}-${position}`;
}

/** Parses `<ms>-<n>`; `undefined` for anything else, also for numbers beyond 2^53. `ms` follows from `n`, and is ignored. */
export function parsePosition(text: string): Position | undefined {
  const n = Number(FORM.exec(text)?.[1] ?? Number.NaN);
  return Number.isSafeInteger(n) ? n : undefined;
}

/** The time of a position in epoch ms, by the log's clock. */
export function timeOf(position: Position): number {
  return Math.floor(position / 1000);
}

/** The position just before the first entry that the log took at `ms` (epoch ms) or later. */
export function positionAt(ms: number): Position {
  return Math.max(0, Math.trunc(ms) * 1000 - 1);
}

// Reads the header `Retry-After` in both of its forms (RFC 9110): seconds, or a date.

/** Milliseconds to wait, 0 for a date that has passed; `undefined` if there is no header or nothing that makes sense. */
export function parseRetryAfter(value: string | null | undefined, now: number): number | undefined {
  if (value === null || value === undefined) return undefined;
  // A number of more than six digits would be a wait of weeks: it makes no sense, and is no date either.
  if (/^\d{1,6}(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

// Values of attributes as the page uses them. A writer may have put anything there: an object may have a `toString` that throws, and a
// number may be larger than any that is counted.

/** Undefined unless it is a text with something in it. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Undefined unless it is a number that can be counted: neither negative nor a billion. */
export function amountOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < 1e9 ? value : undefined;
}

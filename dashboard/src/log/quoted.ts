// A value as the filter's language takes it: behind a key it means itself, and is neither a pattern nor an expression.

/** Quotation marks are left out: within quotes, the language has no way to say them. */
export function quoted(value: string): string {
  return /[\s*"/\\]/.test(value) ? `"${value.replace(/"/g, '')}"` : value;
}

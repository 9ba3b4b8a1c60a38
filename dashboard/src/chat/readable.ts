// Arguments and results of tools as a person reads them.

/** JSON with its structure, everything else as it is. */
export function readable(value: unknown): string {
  if (value === undefined) return 'too long to be kept';
  if (typeof value !== 'string') return JSON.stringify(value, undefined, 1);
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' ? JSON.stringify(parsed, undefined, 1) : value;
  } catch {
    return value;
  }
}

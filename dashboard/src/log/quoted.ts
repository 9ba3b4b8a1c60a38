// A value as the filter's language takes it: behind a key it means itself, and is neither a pattern nor an expression.

/** Within quotes the language has no way to say a quotation mark: a value that has one becomes an expression that matches it alone. */
export function quoted(value: string): string {
  if (value.includes('"')) return `/^${value.replace(/[^\w\x80-\uffff]|\s/g, escaped)}$/`;
  return /[\s*/\\]/.test(value) ? `"${value}"` : value;
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  const hex = code.toString(16);
  return code < 256 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}

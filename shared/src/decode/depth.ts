// How deep values may be nested: a recursive function that reads or writes deeper values would overflow its stack.

export const MAX_DEPTH = 32;

export function deeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(levels - 1, inner));
}

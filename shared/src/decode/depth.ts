// How deep values may be nested: deeper ones overflow the stack of whoever reads or writes them with a recursive function.

export const MAX_DEPTH = 32;

export function deeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => deeperThan(levels - 1, inner));
}

// The hue of a name. It is a hash of the name, so it is the same on every reload and every screen.

const HUES = 18;

const known = new Map<string, number>();

export function hueOf(name: string): number {
  const cached = known.get(name);
  if (cached !== undefined) return cached;
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  // FNV's low bits are weak for names that differ in their last letter only.
  hash ^= hash >>> 15;
  const hue = (hash >>> 0) % HUES;
  if (known.size > 5_000) known.clear();
  known.set(name, hue);
  return hue;
}

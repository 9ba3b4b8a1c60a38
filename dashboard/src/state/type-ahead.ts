// What is typed while the place where it belongs is still being loaded, so that no letter is taken for a shortcut and none is lost.
import { signal } from '@preact/signals';

/** Undefined while nothing is awaited. */
export const typeAhead = signal<string | undefined>(undefined);

/** Returns whether the key belongs to what is typed. */
export function takeTyped(key: string): boolean {
  const typed = typeAhead.peek();
  if (typed === undefined) return false;
  if (key.length === 1) typeAhead.value = typed + key;
  else if (key === 'Backspace') typeAhead.value = typed.slice(0, -1);
  // What was typed is not asked before its writer has seen it.
  else return key === 'Enter';
  return true;
}

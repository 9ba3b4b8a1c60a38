// What a screen reader announces: not every line, but every five seconds how many entries came, if any came.
import type { EntryRow } from '../stream/row.ts';

const EVERY_MS = 5_000;

/** `onEntry` registers a listener that is called for each entry. */
export function announce(onEntry: (listener: (row: EntryRow) => void) => void, region: HTMLElement): void {
  let entries = 0;
  let errors = 0;
  onEntry((row) => {
    entries++;
    if (row.level >= 4) errors++;
  });
  setInterval(() => {
    if (entries === 0) return;
    const words = `${entries} ${entries === 1 ? 'entry' : 'entries'}`;
    region.textContent = errors > 0 ? `${words}, ${errors} ${errors === 1 ? 'error' : 'errors'}` : words;
    entries = 0;
    errors = 0;
  }, EVERY_MS);
}

// What can wait until after the first picture: the colours of ANSI sequences, a notice about values of the link that
// are not possible, and the announcements for screen readers.
import { announce } from './panels/summary.ts';
import { ignoredIn } from './state/link-check.ts';
import { showNotice } from './state/store.ts';
import type { EntryRow } from './stream/row.ts';
import '../styles/ansi.css';

export function begin(onEntry: (listener: (row: EntryRow) => void) => void, summary: HTMLElement): void {
  // The URL may have changed since the page was opened; the navigation entry still holds the link as it was.
  const [navigation] = performance.getEntriesByType('navigation');
  const ignored = ignoredIn(new URL(navigation?.name ?? location.href).search);
  if (ignored.length > 0) showNotice(`the link asks for what is not possible: ${ignored.join(', ')}`);
  announce(onEntry, summary);
}

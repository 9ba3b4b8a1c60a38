// What can wait until the first picture: says what the link got wrong, and sums up for screen readers.
import type { App } from './app.ts';
import { announce } from './panels/summary.ts';
import { ignoredIn } from './state/link-check.ts';
import { say } from './state/store.ts';

export function begin(app: App, summary: HTMLElement): void {
  // The URL itself may say something else by now.
  const [navigation] = performance.getEntriesByType('navigation');
  const ignored = ignoredIn(new URL(navigation?.name ?? location.href).search);
  if (ignored.length > 0) say(`the link asks for what is not possible: ${ignored.join(', ')}`);
  announce(app, summary);
}

// What can wait until the first picture: the colours of ANSI sequences, what the link got wrong, sums for screen readers.
import type { App } from './app.ts';
import { announce } from './panels/summary.ts';
import { ignoredIn } from './state/link-check.ts';
import { say } from './state/store.ts';
import '../styles/ansi.css';

export function begin(app: App, summary: HTMLElement): void {
  // The URL itself may say something else by now.
  const [navigation] = performance.getEntriesByType('navigation');
  const ignored = ignoredIn(new URL(navigation?.name ?? location.href).search);
  if (ignored.length > 0) say(`the link asks for what is not possible: ${ignored.join(', ')}`);
  announce(app, summary);
}

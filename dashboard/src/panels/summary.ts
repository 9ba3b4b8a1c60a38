// What a screen reader hears: not each line, but every five seconds how many came, when any did.
import type { App } from '../app.ts';

const EVERY_MS = 5_000;

export function announce(app: App, live: HTMLElement): void {
  let entries = 0;
  let errors = 0;
  app.listeners.add((row) => {
    entries++;
    if (row.level >= 4) errors++;
  });
  setInterval(() => {
    if (entries === 0) return;
    const words = `${entries} ${entries === 1 ? 'entry' : 'entries'}`;
    live.textContent = errors > 0 ? `${words}, ${errors} ${errors === 1 ? 'error' : 'errors'}` : words;
    entries = 0;
    errors = 0;
  }, EVERY_MS);
}

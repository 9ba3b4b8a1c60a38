// Writes plain lines at a fixed rate, numbered from 1, for load tests. After a delay it catches up, so that the rate is kept.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';

const INTERVAL_MS = 10;

export interface FloodOptions {
  perSecond: number;
  source: string;
  durationMs: number;
}

export async function flood(
  { perSecond, source, durationMs }: FloodOptions,
  write: (fields: EntryFields) => void,
  stop: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let written = 0;
  for (let elapsed = 0; elapsed < durationMs && !stop.aborted; elapsed = performance.now() - start) {
    const due = Math.floor((elapsed / 1000) * perSecond);
    while (written < due) {
      const msg = `flood line ${++written} at ${perSecond} lines/s`;
      write({ time: Date.now(), channel: CHANNELS.logs, source, level: 'info', msg });
    }
    await sleep(INTERVAL_MS);
  }
}

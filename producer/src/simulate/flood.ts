// Plain lines at a fixed rate, numbered from 1: for load tests, not for people.

import { setTimeout as sleep } from 'node:timers/promises';
import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';

const TURN_MS = 10;

export interface FloodOptions {
  perSecond: number;
  source: string;
  durationMs: number;
}

export async function flood(
  { perSecond, source, durationMs }: FloodOptions,
  tell: (fields: EntryFields) => void,
  stop: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let told = 0;
  for (let elapsed = 0; elapsed < durationMs && !stop.aborted; elapsed = performance.now() - start) {
    const due = Math.floor((elapsed / 1000) * perSecond);
    while (told < due) {
      const msg = `flood line ${++told} at ${perSecond} lines/s`;
      tell({ time: Date.now(), channel: CHANNELS.logs, source, level: 'info', msg });
    }
    await sleep(TURN_MS);
  }
}

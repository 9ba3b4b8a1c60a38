// Plays a story in real time. When told to stop, it tells the story's end at once.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { Story } from './story.ts';

/** After a pause this long (a suspended machine) the story goes on from here instead of catching up in a burst. */
const LATE_MS = 5_000;

export async function play(
  story: Story,
  tell: (fields: EntryFields) => void,
  stop: AbortSignal,
): Promise<void> {
  const end = () => story.end();
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  let start = performance.now();
  for (const { at, entry } of story) {
    const wait = start + at - performance.now();
    if (wait > 0 && !stop.aborted) await pause(wait, stop);
    else if (wait < -LATE_MS) start -= wait;
    tell({ time: Date.now(), ...entry });
  }
  stop.removeEventListener('abort', end);
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener('abort', end);
  });
}

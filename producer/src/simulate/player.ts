// Plays a story in real time. When it is stopped, it writes the end of the story at once.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { Story } from './story.ts';

/** After a longer delay (a machine that was suspended) the story goes on from where it is, instead of catching up in a burst. */
const LATE_MS = 5_000;

export async function play(
  story: Story,
  write: (fields: EntryFields) => void,
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
    write({ time: Date.now(), ...entry });
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

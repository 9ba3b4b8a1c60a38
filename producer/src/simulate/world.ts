// What every actor of the story shares: the clock, chance, the machine, and a voice.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { EventName } from '@llm-streamer/shared/events.ts';
import type { Backend } from './backends.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** An entry before it has a writer and a time. */
export interface Line extends Omit<EntryFields, 'time' | 'source' | 'event'> {
  event?: EventName;
}

export interface World {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly backend: Backend;
  say(line: Line): void;
}

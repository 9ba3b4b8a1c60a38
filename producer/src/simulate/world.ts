// What all actors of the story share: the clock, the random numbers, the machine, and the way to write a line.

import type { EntryFields } from '@llm-streamer/shared/entry.ts';
import type { EventName } from '@llm-streamer/shared/events.ts';
import type { Backend } from './backends.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** An entry without its time and source, which the story adds. */
export interface Line extends Omit<EntryFields, 'time' | 'source' | 'event'> {
  event?: EventName;
}

export interface World {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly backend: Backend;
  writeLine(line: Line): void;
}

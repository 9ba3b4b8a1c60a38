// Finds the position of a time where positions are ahead of the clock, as they are for a minute after each failover. There they say nothing of
// the time, so log.lua notes how far the log was: with entries and ticks at most once in half a second, and at both ends of each leap.
// No entry since that time is left out, and none is given that is more than half a second older, as long as some process ticks.

import { type Position, positionAt } from '../position.ts';

/** As NOTE_EVERY of log.lua. */
export const NOTE_EVERY_MS = 500;

/**
 * How far the log was at `time` (epoch ms), by notes of the form "<ms>:<position>"; undefined if it was not ahead of the clock then.
 *
 * An example in seconds: a failover at 100 has lifted the log to 160, and entries came at 100, 104 and 104.2. The notes are 100:160 and
 * 104:161, since before the entry of 104 the log was at 161. A reader who asks for what came since 102 gets everything after 161:
 * had there been an entry between 100.5 and 104, there would be another note.
 */
export function headAhead(notes: readonly string[], time: number): Position | undefined {
  const all = notes.map((note) => note.split(':').map(Number) as [number, Position]);
  const index = all.findLastIndex(([ms]) => ms <= time);
  const [ms, head] = all[index] ?? [];
  if (ms === undefined || head === undefined || head <= positionAt(time)) return undefined;
  const [nextMs, next] = all[index + 1] ?? [];
  // If the log had fallen behind the clock before the next note, that says nothing of what came in between.
  const isStillAhead = nextMs !== undefined && next !== undefined && next > positionAt(nextMs);
  return isStillAhead && time - ms >= NOTE_EVERY_MS ? next : head;
}

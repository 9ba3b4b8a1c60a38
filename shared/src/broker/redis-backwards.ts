// A page of history backwards from a bound: the newest entries first. Makes no claim about completeness.

import type { Page, ReadQuery } from './broker.ts';
import type { LogState } from './page.ts';
import type { Position } from './position.ts';
import type { LogRecord } from './record.ts';
import type { RedisStreams } from './redis-streams.ts';

/** Rounds of reading on in the channels that hold the page's floor up, before it is cut where it stands. */
const MAX_ROUNDS = 6;
const MIN_CHUNK = 16;

interface Slice {
  channel: string;
  /** Descending. */
  records: LogRecord[];
  /** True when nothing lies before the last of `records`. */
  exhausted: boolean;
}

/** Each of the `limit` newest entries lies in one of the `limit` channels that changed last. */
export async function readBackwards(
  streams: RedisStreams,
  state: LogState,
  { channels, after: asked, upTo: bound, limit }: ReadQuery,
): Promise<Page> {
  const after = Math.max(asked, state.start);
  const upTo = Math.min(bound ?? state.head, state.head);
  const { lasts } = await streams.lasts(channels, after);
  const newest = [...lasts].sort((a, b) => b[1] - a[1]);
  // Of the others nothing is read: the page ends above them.
  const others = upTo === state.head ? newest.splice(limit) : [];
  const bottom = Math.max(after, others[0]?.[1] ?? 0);
  const slices = newest.map(([channel]): Slice => ({ channel, records: [], exhausted: false }));

  let floor: Position = bottom + 1;
  let behind = slices;
  for (let round = 0; round < MAX_ROUNDS && behind.length > 0; round++) {
    const chunk = Math.min(limit, Math.max(MIN_CHUNK, Math.ceil((2 * limit) / behind.length)));
    const places = behind.map(({ channel, records }) => {
      return [channel, (records.at(-1)?.n ?? upTo + 1) - 1] as const;
    });
    const chunks = await streams.upTo(places, bottom, chunk);
    behind.forEach((slice, i) => {
      const records = chunks[i] ?? [];
      slice.records.push(...records);
      slice.exhausted = records.length < chunk;
    });
    const open = slices.filter(({ exhausted }) => !exhausted);
    floor = Math.max(bottom + 1, ...open.map(({ records }) => records.at(-1)?.n ?? 0));
    const ready = slices.reduce((sum, { records }) => sum + records.filter(({ n }) => n >= floor).length, 0);
    behind = ready >= limit ? [] : open.filter(({ records }) => records.at(-1)?.n === floor);
  }
  const records = slices.flatMap((slice) => slice.records.filter(({ n }) => n >= floor));
  records.sort((a, b) => b.n - a.n);
  const cut = records.length > limit;
  if (cut) records.length = limit;
  const next = cut ? (records.at(-1) as LogRecord).n - 1 : floor - 1;
  return { items: records.map((record) => ({ record })), next, done: next <= after };
}

// The frames of `/stream` as bytes: an entry, and the named events whose data shared/src/stream-events.ts describes.

import { type Gap, mayOverlap } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position } from '@llm-streamer/shared/broker/position.ts';
import { copyId, ID_LENGTH, type LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';
import type { Bye, GapData, Hello, Live, Ping } from '@llm-streamer/shared/stream-events.ts';

/** The named events, with their data. */
interface ControlEvents {
  hello: Hello;
  live: Live;
  ping: Ping;
  gap: GapData;
  bye: Bye;
}

const ID = Buffer.from('id: ');
const DATA = Buffer.from('data: ');
const END = Buffer.from('\n\n');

/** How many bytes an entry's frame has. */
export function entryBytes({ data, n }: LogRecord): number {
  const id = n === 0 ? 0 : ID.length + ID_LENGTH + 1;
  return id + DATA.length + data.length + END.length;
}

/**
 * Writes `id:` and `data:` of one entry, and returns where the frame ends. An entry that is not stored has no `id:`. The data
 * needs no escaping, because brokers hand out records of one line only.
 */
export function writeEntry({ data, n }: LogRecord, target: Buffer, at: number): number {
  let end = at;
  if (n !== 0) {
    end = writeBytes(ID, target, end);
    copyId(data, target, end);
    end += ID_LENGTH;
    target[end++] = 0x0a;
  }
  end = writeBytes(DATA, target, end);
  target.set(data, end);
  return writeBytes(END, target, end + data.length);
}

/** This is a loop, because for so few bytes a call of `set` takes longer: 33 ns instead of 19 for `data: `. */
function writeBytes(bytes: Buffer, target: Buffer, at: number): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] as number;
  return at + bytes.length;
}

/**
 * The id of a gap is the position just before what follows it, so that a client that resumes there does not get the gap again:
 * a gap with `before` 104 has the id of 103. A gap that is `trimmed` or `expired` has none, because entries of other channels
 * may lie before 104, and the client's cursor must not pass them.
 */
export function gapFrame(gap: Gap): Buffer {
  const { channel, after, before, reason, missed } = gap;
  const data = { channel, after: formatPosition(after), before: formatPosition(before), reason, missed };
  return controlFrame('gap', mayOverlap(reason) ? null : before - 1, data);
}

/** A named event. With `id` null it has no id, and the client's cursor stays where it is. */
export function controlFrame<E extends keyof ControlEvents>(
  event: E,
  id: Position | null,
  data: ControlEvents[E],
  retry?: number,
): Buffer {
  return Buffer.from(
    sseFrame({
      event,
      ...(id !== null && { id: formatPosition(id) }),
      ...(retry !== undefined && { retry }),
      data: JSON.stringify(data),
    }),
  );
}

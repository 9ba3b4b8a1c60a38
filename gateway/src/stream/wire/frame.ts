// The frames of `/stream` as bytes.

import { type Gap, mayOverlap } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position } from '@llm-streamer/shared/broker/position.ts';
import { copyId, ID_LENGTH, type LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';

const ID = Buffer.from('id: ');
const DATA = Buffer.from('data: ');
const END = Buffer.from('\n\n');

/** Bytes of an entry's frame. */
export function entryBytes({ data, n }: LogRecord): number {
  const id = n === 0 ? 0 : ID.length + ID_LENGTH + 1;
  return id + DATA.length + data.length + END.length;
}

/**
 * Writes `id:` and `data:` of one entry, no `id:` for one that is not in the log; returns where it ends. Brokers hand
 * out one-line records only.
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

/** For a few bytes a call into the engine costs more than a loop. */
function writeBytes(bytes: Buffer, target: Buffer, at: number): number {
  for (let i = 0; i < bytes.length; i++) target[at + i] = bytes[i] as number;
  return at + bytes.length;
}

/**
 * Its id is the place just before what follows, so that whoever resumes there is not told twice. Where entries of other
 * channels may lie before its end there is none: the viewer's cursor must not pass them.
 */
export function gapFrame(gap: Gap): Buffer {
  const { channel, after, before, reason, missed } = gap;
  const data = { channel, after: formatPosition(after), before: formatPosition(before), reason, missed };
  return controlFrame('gap', mayOverlap(reason) ? null : before - 1, data);
}

/** A named frame; `id` null leaves the viewer's cursor where it is. */
export function controlFrame(event: string, id: Position | null, data: object, retry?: number): Buffer {
  return Buffer.from(
    sseFrame({
      event,
      ...(id !== null && { id: formatPosition(id) }),
      ...(retry !== undefined && { retry }),
      data: JSON.stringify(data),
    }),
  );
}

// The frames of `/stream` as bytes. An entry's frame is made once, whoever sends it.

import { type Gap, mayOverlap } from '@llm-streamer/shared/broker/broker.ts';
import { formatPosition, type Position } from '@llm-streamer/shared/broker/position.ts';
import type { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { sseFrame } from '@llm-streamer/shared/sse.ts';

/** `id:` and `data:` of one entry; no `id:` for an entry that is not in the log. Brokers hand out one-line records only. */
export function entryFrame(record: LogRecord): Buffer {
  record.frame ??= encode(record);
  return record.frame;
}

function encode(record: LogRecord): Buffer {
  const head = record.id === null ? 'data: ' : `id: ${record.id}\ndata: `;
  const frame = Buffer.allocUnsafe(head.length + record.data.length + 2);
  frame.write(head, 0, 'latin1');
  record.data.copy(frame, head.length);
  frame[frame.length - 2] = 0x0a;
  frame[frame.length - 1] = 0x0a;
  return frame;
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

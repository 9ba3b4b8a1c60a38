// The line of a program that a shipper carries → an entry. What the line says of itself counts; who wrote it is what the shipper says.

import { decodePayload } from '@llm-streamer/shared/decode/decode.ts';
import { deeperThan, MAX_DEPTH } from '@llm-streamer/shared/decode/depth.ts';
import type { EntryFields, Level } from '@llm-streamer/shared/entry.ts';

export interface LineOrigin {
  channel: string;
  source: string;
  /** Of a line that names none. */
  level?: Level | undefined;
  time: number;
  attrs: Readonly<Record<string, unknown>>;
}

export function entryOfLine(line: string, origin: LineOrigin): EntryFields {
  const { channel, source, level = 'info', time } = origin;
  return withOrigin(decodePayload(line, { channel, source, level, now: time }), origin);
}

/** A program's own name must not hide where the line comes from. */
export function withOrigin(fields: EntryFields, { source, attrs }: LineOrigin): EntryFields {
  const logger = fields.source === source ? undefined : fields.source;
  const given = deeperThan(MAX_DEPTH, attrs) ? { cut: `attributes nested deeper than ${MAX_DEPTH}` } : attrs;
  const all = { ...given, ...fields.attrs, ...(logger !== undefined && { logger }) };
  const { attrs: _attrs, ...rest } = fields;
  return { ...rest, source, ...(Object.keys(all).length > 0 && { attrs: all }) };
}

// Decodes any payload into the fields of an entry, or into a draft. It is lenient with what arrives on a channel: nothing that a
// producer sends makes it throw, and no entry is blank unless the payload was. It is strict with what a client posts: a wrong
// type is an error that names the field.

import { CUT_MARK, cutMark, type Draft, draft, type EntryFields, utf8Bytes } from '../entry.ts';
import { holdsMoreThan, MAX_ENTRY_VALUES } from '../json-values.ts';
import { parseCanonical } from './canonical-entry.ts';
import { parseContainerLine } from './container.ts';
import type { DecodeContext } from './context.ts';
import { guessLevel } from './level.ts';
import { parseLogfmt } from './logfmt.ts';
import { asObject, type Mode, readObject } from './object.ts';
import { timeOfLine } from './time.ts';

/** Of a longer payload only this much is decoded, as text. */
const MAX_BYTES = 1_048_576;

/** Decodes one message of any kind: an entry as JSON, JSON or logfmt of a logger, text, or junk. */
export function decodePayload(payload: Uint8Array | string, context: DecodeContext): EntryFields {
  return decodeText(textOf(payload), context);
}

/** Decodes a message as `decodePayload` does, and gives a draft, ready for the log. An entry over `maxBytes` is cut. */
export function draftPayload(payload: Uint8Array, context: DecodeContext, maxBytes: number): Draft {
  const text = textOf(payload);
  if (text.length > maxBytes) return draft(decodeLong(text, context, maxBytes), maxBytes);
  const written = parseCanonical(text, maxBytes);
  return written?.channel === context.channel ? written : draft(decodeText(text, context), maxBytes);
}

/** JSON is of use only as a whole. Of any other text no more is looked at than an entry may hold. */
function decodeLong(text: string, context: DecodeContext, maxBytes: number): EntryFields {
  const line = withoutLineEnd(text);
  if (line.length <= maxBytes) return decodeText(line, context);
  const bytes = CUT_MARK.exec(line)?.[1] ?? utf8Bytes(line);
  return (
    decodeJson(line, context) ??
    decodeText(line.slice(0, maxBytes).toWellFormed() + cutMark(Number(bytes)), context)
  );
}

/**
 * Decodes a JSON object. Known keys, and the names that other loggers use for them, become the entry's fields; the rest goes into
 * `attrs`. The position of an exported entry in its old log (`id`, `log`, `prev`) is dropped, because the log gives a new one.
 * @throws CodedError `invalid_entry` in strict mode, for a known key of a wrong type.
 */
export function decodeObject(
  object: Record<string, unknown>,
  context: DecodeContext,
  mode: Mode,
): EntryFields {
  const { fields, line } = readObject(object, context, mode);
  return line === undefined ? fields : carrying(line, fields, context);
}

/**
 * How many times a line may be taken out of another line. A line that lies deeper stays plain text, because each step takes a part
 * of the stack.
 */
const MAX_CARRIED = 4;

// Each format gives `undefined` for a text that is not one of its lines. A text of no format is plain text.
const FORMATS = [decodeJson, decodeContainerLine, decodeLogfmt];

function decodeText(text: string, context: DecodeContext): EntryFields {
  const line = withoutLineEnd(text);
  for (const format of (context.depth ?? 0) > MAX_CARRIED ? [] : FORMATS) {
    const fields = format(line, context);
    if (fields) return fields;
  }
  return {
    time: timeOfLine(line, context.now) ?? context.now,
    channel: context.channel,
    source: context.source,
    level: guessLevel(line, context.level),
    msg: line,
  };
}

function decodeJson(line: string, context: DecodeContext): EntryFields | undefined {
  const object = line.trimStart().startsWith('{') ? parseObject(line) : undefined;
  return object && decodeObject(object, context, 'lenient');
}

function decodeContainerLine(text: string, context: DecodeContext): EntryFields | undefined {
  const found = parseContainerLine(text);
  if (!found) return undefined;
  const { channel, source, level = 'info', now } = context;
  const outer = { time: found.time ?? now, channel, source, level, msg: '', attrs: found.attrs };
  return carrying(found.line, outer, context);
}

function decodeLogfmt(line: string, context: DecodeContext): EntryFields | undefined {
  const fields = parseLogfmt(line);
  return fields && decodeObject(fields, context, 'lenient');
}

/** The entry for a program's line that another line carries: fields that the inner line does not name come from `outer`. */
function carrying(line: string, outer: EntryFields, { depth = 0 }: DecodeContext): EntryFields {
  const { time: now, channel, source, level } = outer;
  const inner = decodeText(line, { channel, now, source, level, depth: depth + 1 });
  const attrs = { ...outer.attrs, ...inner.attrs };
  return { ...outer, ...inner, ...(Object.keys(attrs).length > 0 && { attrs }) };
}

// Not by a regular expression: /[\r\n]+$/ takes minutes for a text of line breaks that ends in another character.
function withoutLineEnd(text: string): string {
  let end = text.length;
  while (text[end - 1] === '\n' || text[end - 1] === '\r') end--;
  return text.slice(0, end);
}

const utf8 = new TextDecoder('utf-8');

function textOf(payload: Uint8Array | string): string {
  if (payload.length > MAX_BYTES) return beginning(payload);
  return typeof payload === 'string' ? payload : utf8.decode(payload);
}

function beginning(payload: Uint8Array | string): string {
  return typeof payload === 'string'
    ? payload.slice(0, MAX_BYTES) + cutMark(utf8Bytes(payload))
    : utf8.decode(payload.subarray(0, MAX_BYTES)) + cutMark(payload.length);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (holdsMoreThan(MAX_ENTRY_VALUES, text)) return undefined; // it is shown as text, and cut
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined; // not JSON, but a text that begins with a brace
  }
}

// The values that the body of POST /api/publish holds: a JSON object, an array, NDJSON, or objects one after the other. A large body is
// never parsed in one step.

import { parseCanonical } from '@llm-streamer/shared/decode/canonical-entry.ts';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { holdsMoreThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import type { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { excessOf } from '../shippers/json-shape.ts';
import { jsonTexts } from '../shippers/json-texts.ts';
import { HttpError } from './errors.ts';

/** The bounds of a JSON body that is parsed in one step. The values of any other are parsed one by one, each with a bound of its own. */
const WHOLE = { values: 50_000, members: 1_000, depth: 50_000 };
const MAX_BODY_CHARS = 1_048_576;
/** Blank lines count, because a body may be megabytes of line ends. */
const MAX_LINES = 40_000;

/** A line that is already in the log's own form is a draft as it stands, and is not parsed. A `text` is no JSON. */
export type Value = { canonical: Draft } | { parsed: unknown } | { text: string };

export interface Values {
  count: number;
  /** Parses a value when it is asked for. @throws CodedError `invalid_entry` if it is too wide */
  valueAt: (index: number) => Value;
  /** The entry's place as errors name it: a line of NDJSON, an index in an array; empty for a single entry. */
  labelOf: (index: number) => string;
}

export interface ValuesOptions {
  isNdjson: boolean;
  entryBytes: number;
  most: number;
  slicer: TimeSlicer;
}

/** @throws CodedError `invalid_json` or `batch_too_large` */
export async function valuesOf(content: string, options: ValuesOptions): Promise<Values> {
  const { isNdjson, entryBytes, most, slicer } = options;
  if (isNdjson) return linesIn(content, entryBytes);
  const isSmall = content.length <= MAX_BODY_CHARS && (await excessOf(content, WHOLE)) === undefined;
  const whole = isSmall ? parsed(content) : undefined;
  if (whole !== undefined) {
    const [all, labelOf] = Array.isArray(whole.value) ? [whole.value, placeOf] : [[whole.value], () => ''];
    return { count: all.length, valueAt: (i) => ({ parsed: all[i] }), labelOf };
  }
  // Several lines may be NDJSON under another content type. (`\s` would match `\n`, too, and take minutes on a body
  // of line ends.)
  const start = content.slice(0, 1_000).trimStart();
  if (!start.startsWith('[') && /\n[ \t]*\{/.test(content)) return linesIn(content, entryBytes);
  if (!/^[[{]/.test(start)) throw new CodedError('invalid_json', 'the body is not JSON');
  const texts: string[] = [];
  for (const one of jsonTexts(content)) {
    texts.push(one);
    if (texts.length > most) break;
    const pause = slicer.pauseIfDue();
    if (pause) await pause;
  }
  const labelOf = start.startsWith('[') || texts.length > 1 ? placeOf : () => '';
  return { count: texts.length, valueAt: (i) => valueIn(texts[i] ?? '', labelOf(i) || 'the body'), labelOf };
}

export function linesOf(content: string): string[] {
  const lines = content.split('\n', MAX_LINES + 1);
  if (lines.length > MAX_LINES)
    throw tooLarge(`at most ${MAX_LINES} lines in one request, blank ones included`);
  return lines;
}

export function checkCount(count: number, most: number): void {
  if (count === 0) throw new CodedError('invalid_body', 'the body holds no entry');
  if (count > most) throw tooLarge(`at most ${most} entries in one request`);
}

function linesIn(content: string, entryBytes: number): Values {
  const lines = linesOf(content).map((line, i) => ({ line, number: i + 1 }));
  const filled = lines.filter(({ line }) => line.trim() !== '');
  const labelOf = (i: number) => `line ${filled[i]?.number}`;
  const valueAt = (i: number): Value => {
    const line = filled[i]?.line ?? '';
    const canonical = parseCanonical(line, entryBytes);
    return canonical ? { canonical } : valueIn(line, labelOf(i));
  };
  return { count: filled.length, valueAt, labelOf };
}

function valueIn(text: string, label: string): Value {
  if (holdsMoreThan(MAX_ENTRY_VALUES, text))
    throw new CodedError('invalid_entry', `${label} holds more than ${MAX_ENTRY_VALUES} values`);
  const found = parsed(text);
  return found ? { parsed: found.value } : { text };
}

function placeOf(index: number): string {
  return `[${index}]`;
}

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function tooLarge(message: string): HttpError {
  return new HttpError('batch_too_large', message);
}

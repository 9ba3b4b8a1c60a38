// The body of a request to Splunk's HTTP Event Collector → its events, one after the other.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { holdsMoreThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import { asRecord } from '../otlp/values.ts';
import { jsonTexts } from './json-texts.ts';

export interface HecEvent {
  /** What happened: a text, or any other value of JSON. Undefined of an event that is too wide to be parsed. */
  event: unknown;
  /** The whole of it as it came. */
  text: string;
  envelope: Readonly<Record<string, unknown>>;
}

/** Why Splunk refuses an event, and which one it is. */
export class HecFault extends CodedError {
  readonly hecCode: number;
  readonly index: number | undefined;

  constructor(hecCode: number, message: string, index?: number) {
    super('invalid_body', message);
    this.hecCode = hecCode;
    this.index = index;
  }
}

/** @throws HecFault for the first event that is not as the protocol says */
export function* hecEvents(body: string): Generator<HecEvent> {
  let index = 0;
  const texts = jsonTexts(body);
  for (;;) {
    const next = nextOf(texts, index);
    if (next === undefined) break;
    yield eventOf(next, index++);
  }
  if (index === 0) throw new HecFault(5, 'No data');
}

function nextOf(texts: Generator<string>, index: number): string | undefined {
  try {
    const { value, done } = texts.next();
    return done ? undefined : (value as string);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'invalid_json') throw invalid(index);
    throw error;
  }
}

function eventOf(text: string, index: number): HecEvent {
  if (holdsMoreThan(MAX_ENTRY_VALUES, text)) return { event: undefined, text, envelope: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(index);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(index);
  const envelope = asRecord(value);
  const { event } = envelope;
  if (event === undefined || event === null) throw new HecFault(12, 'Event field is required', index);
  if (event === '') throw new HecFault(13, 'Event field cannot be blank', index);
  return { event, text, envelope };
}

function invalid(index: number): HecFault {
  return new HecFault(6, 'Invalid data format', index);
}

// Turns a JSON object into the fields of an entry. Known names become fields, the rest attributes; an object without a message
// gets its own JSON as its message.

import type { EntryFields, Level } from '../entry.ts';
import { CodedError } from '../errors.ts';
import { EVENTS } from '../events.ts';
import type { DecodeContext } from './context.ts';
import { deeperThan, MAX_DEPTH } from './depth.ts';
import {
  carriedLine,
  containerOf,
  EVENT,
  type Field,
  LEVEL,
  levelOfOtherScale,
  MESSAGE,
  OTHER_MESSAGE,
  RUN,
  SOURCE,
  TIME,
  valueAt,
} from './fields.ts';
import { levelOfStatus } from './level.ts';
import { fillTemplate } from './template.ts';

/** Where an object has no message, its own JSON is shown, up to this length. The attributes hold the whole object. */
const MAX_SUMMARY_CHARS = 1_000;
const VOCABULARY: ReadonlySet<unknown> = new Set(Object.values(EVENTS));

export type Mode = 'strict' | 'lenient';

export interface DecodedObject {
  fields: EntryFields;
  /** The line of a program that the object carries, if it carries one. The caller decodes it; `fields` then have no message. */
  line?: string;
}

/** @throws CodedError `invalid_entry` in strict mode, for a field of a wrong type, and for an object without content. */
export function readObject(
  object: Record<string, unknown>,
  context: DecodeContext,
  mode: Mode,
): DecodedObject {
  const { channel: _channel, ...rest } = object;
  dropPosition(rest);
  const fields = new Fields(rest, mode);

  const container = containerOf(rest);
  if (container !== undefined) {
    rest.stream = rest.source;
    rest.source = container;
  }
  const otherScale = levelOfOtherScale(rest);
  if (otherScale) delete rest.level;
  const named = otherScale ?? fields.takeField(LEVEL);
  const time = fields.takeField(TIME);
  let msg = fields.takeMessage();
  const carried = isBlank(msg) ? carriedLine(rest) : undefined;
  if (carried) delete rest[carried.key];
  // structlog writes its message as `event`. A real event also has a message, or is one of our own names.
  else if (
    isBlank(msg) &&
    typeof rest.event === 'string' &&
    !VOCABULARY.has(rest.event) &&
    !isBlank(rest.event)
  ) {
    msg = rest.event;
    delete rest.event;
  }
  const source = fields.takeField(SOURCE);
  const event = fields.takeField(EVENT);
  const run = fields.takeField(RUN);
  const given = fields.takeField({ own: 'attrs', parse: asObject, allowed: 'an object', aliases: [] });
  // A copy of thousands of keys takes milliseconds.
  const attrs = boundedDepth(given === undefined ? rest : { ...rest, ...given }, mode);
  const hasAttrs = Object.keys(attrs).length > 0;

  if (mode === 'strict' && (msg ?? '') === '' && !carried && event === undefined && !hasAttrs)
    throw new CodedError('invalid_entry', 'an entry needs a msg, an event or attrs', { field: 'msg' });
  // A blank may be meant: a delta is a part of a longer text, and a client may post a message of blanks.
  const isBlankMeant = event === EVENTS.generationDelta || (mode === 'strict' && !hasAttrs && msg !== '');
  const isShown = carried !== undefined || !isBlank(msg) || (msg !== undefined && isBlankMeant);
  return {
    fields: {
      time: time ?? context.now,
      channel: context.channel,
      source: source ?? context.source,
      level: named ?? levelOfRequest(rest) ?? context.level ?? 'info',
      msg: isShown ? (msg ?? '') : summary(hasAttrs ? attrs : undefined, event, object),
      ...(event !== undefined && { event }),
      ...(run !== undefined && { run }),
      ...(hasAttrs && { attrs }),
    },
    ...(carried && { line: carried.line }),
  };
}

/** Takes the fields out of an object; what is left are the attributes. */
class Fields {
  readonly #rest: Record<string, unknown>;
  readonly #mode: Mode;

  constructor(rest: Record<string, unknown>, mode: Mode) {
    this.#rest = rest;
    this.#mode = mode;
  }

  takeField<T>(field: Field<T>): T | undefined {
    return this.#takeOwn(field) ?? this.#takeAlias(field);
  }

  /** The first message that is not blank. A number or a boolean counts as text only in lenient mode. */
  takeMessage(): string | undefined {
    const { msg } = this.#rest;
    if (this.#mode === 'lenient' && (typeof msg === 'number' || typeof msg === 'boolean'))
      this.#rest.msg = String(msg);
    const own = this.#takeOwn(MESSAGE);
    if (!isBlank(own)) return own;
    return this.#takeAlias(OTHER_MESSAGE) ?? fillTemplate(this.#rest) ?? own;
  }

  #takeOwn<T>({ own, parse, allowed, isForeign }: Field<T>): T | undefined {
    const value = this.#rest[own];
    if (value === null) delete this.#rest[own]; // many clients write null for a field that is absent
    if (value === undefined || value === null) return undefined;
    const parsed = parse(value);
    if (parsed !== undefined) delete this.#rest[own];
    else if (this.#mode === 'strict' && !isForeign?.(value))
      throw new CodedError('invalid_entry', `${own} must be ${allowed}`, { field: own });
    return parsed;
  }

  #takeAlias<T>({ aliases, parse, special }: Field<T>): T | undefined {
    for (const name of aliases) {
      const value = valueAt(this.#rest, name);
      if (value === undefined || value === null) continue;
      const parsed = (special?.[name] ?? parse)(value);
      if (parsed === undefined) continue;
      delete this.#rest[name]; // a value in a nested object stays there, too
      return parsed;
    }
    return undefined;
  }
}

/**
 * Removes the position of an exported entry in its old log, because the log gives a new one. An `id`, `log` or `prev` of any other
 * kind is an attribute.
 */
function dropPosition(rest: Record<string, unknown>): void {
  if (typeof rest.id !== 'string' || !/^\d{1,16}-\d{1,16}$/.test(rest.id)) return;
  delete rest.id;
  if (typeof rest.prev === 'number') {
    delete rest.prev;
    delete rest.log;
  }
}

function levelOfRequest({
  status,
  request,
  method,
  request_method,
}: Record<string, unknown>): Level | undefined {
  const isRequest = [request, method, request_method].some((value) => typeof value === 'string');
  const isPlain = typeof status === 'number' || typeof status === 'string';
  return isRequest && isPlain ? levelOfStatus(Number(status)) : undefined;
}

/** The message of an object that has none. */
function summary(attrs: object | undefined, event: string | undefined, object: object): string {
  if (attrs === undefined && !isBlank(event)) return (event as string).replace('.', ' ');
  const text = attrs === undefined ? shallow(object) : JSON.stringify(attrs);
  return text.length > MAX_SUMMARY_CHARS ? `${text.slice(0, MAX_SUMMARY_CHARS)}…` : text;
}

/** The JSON of the object's top level only: a value that is no attribute, such as its channel, may be nested too deep to be written. */
function shallow(object: object): string {
  return JSON.stringify(object, (key, value) => (key !== '' && typeof value === 'object' ? '…' : value));
}

function isBlank(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.trim() === '');
}

function boundedDepth(attrs: Record<string, unknown>, mode: Mode): Record<string, unknown> {
  if (!deeperThan(MAX_DEPTH, attrs)) return attrs;
  if (mode === 'lenient') return { cut: `attributes nested deeper than ${MAX_DEPTH}` };
  throw new CodedError('invalid_entry', `attrs must be nested ${MAX_DEPTH} deep at most`, { field: 'attrs' });
}

/** Whether a value can be an entry's `attrs`: an object that is not nested too deep for recursive readers. */
export function isAttributes(value: unknown): boolean {
  return asObject(value) !== undefined && !deeperThan(MAX_DEPTH, value);
}

export function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

// A JSON object → the fields of an entry. Known names become the entry's fields, the rest its attributes, and an object
// without a message is shown as the text of what it holds.

import type { EntryFields, Level } from '../entry.ts';
import { CodedError } from '../errors.ts';
import { EVENTS } from '../events.ts';
import type { DecodeContext } from './context.ts';
import { deeperThan, MAX_DEPTH } from './depth.ts';
import {
  carriedLine,
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

/** Of an object that is its own message: the attributes hold all of it. */
const MAX_SUMMARY_CHARS = 1_000;
const VOCABULARY: ReadonlySet<unknown> = new Set(Object.values(EVENTS));

export type Mode = 'strict' | 'lenient';

export interface DecodedObject {
  fields: EntryFields;
  /** A program's own line that the object carries, still to be decoded; `fields` then has no message. */
  line?: string;
}

/** @throws CodedError `invalid_entry` in strict mode, for an own name with a value of a wrong type, and for no content. */
export function readObject(
  object: Record<string, unknown>,
  context: DecodeContext,
  mode: Mode,
): DecodedObject {
  const { channel: _channel, ...rest } = object;
  dropPosition(rest);
  const fields = new Fields(rest, mode);

  const otherScale = levelOfOtherScale(rest);
  if (otherScale) delete rest.level;
  const named = otherScale ?? fields.takeField(LEVEL);
  const time = fields.takeField(TIME);
  let msg = fields.takeMessage();
  const carried = isBlank(msg) ? carriedLine(rest) : undefined;
  if (carried) delete rest[carried.key];
  // structlog's name for the message; an event has a message beside it, or one of our own names.
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
  const attrs = boundedDepth({ ...rest, ...given }, mode);
  const hasAttrs = Object.keys(attrs).length > 0;

  if (mode === 'strict' && (msg ?? '') === '' && !carried && event === undefined && !hasAttrs)
    throw new CodedError('invalid_entry', 'an entry needs a msg, an event or attrs', { field: 'msg' });
  // A delta's text is part of a longer one, so that a blank is as good as any other; a client may post a blank alone.
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

/** Takes fields out of an object; what is left are attributes. */
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

  /** The first that is not blank; a number or a truth value is text only where nobody is told of errors. */
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
    if (value === null) delete this.#rest[own]; // how many clients write "absent"
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
      delete this.#rest[name]; // what lies deeper stays with its neighbours
      return parsed;
    }
    return undefined;
  }
}

/** An exported entry's place in the log, which the log gives anew; any other `id`, `log` and `prev` are attributes. */
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

/** What an object without a message is shown as. */
function summary(attrs: object | undefined, event: string | undefined, object: object): string {
  if (attrs === undefined && !isBlank(event)) return (event as string).replace('.', ' ');
  const text = attrs === undefined ? shallow(object) : JSON.stringify(attrs);
  return text.length > MAX_SUMMARY_CHARS ? `${text.slice(0, MAX_SUMMARY_CHARS)}…` : text;
}

/** What is no attribute, such as a channel, may be nested too deep to be written. */
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

/** Whether it can be an entry's `attrs`: an object that no recursive reader needs to fear. */
export function isAttributes(value: unknown): boolean {
  return asObject(value) !== undefined && !deeperThan(MAX_DEPTH, value);
}

export function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

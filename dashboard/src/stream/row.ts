// The rows of the log: entries, gaps and marks. An entry keeps its JSON as text, and only the fields that the list
// needs as values: the garbage collector would have to visit 100,000 trees of attributes otherwise.

import { parsePosition } from '@llm-streamer/shared/broker/position.ts';
import { LEVELS, type Level } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import type { GapData } from '@llm-streamer/shared/stream-events.ts';
import { amountOf } from './attribute.ts';

const DEFAULT_LEVEL = LEVELS.indexOf('info');

let latestRow: EntryRow | undefined;
let latestAttrs: Readonly<Record<string, unknown>> = {};

export class EntryRow {
  readonly kind = 'entry';
  /** Place in the buffer; it changes when rows are inserted or removed before this one. */
  at = 0;
  readonly id: string | undefined;
  /** The entry's position in the log, from its id; 0 for an entry that was never stored. */
  readonly n: number;
  readonly log: string | undefined;
  readonly time: number;
  /** Index in LEVELS. */
  readonly level: number;
  readonly channel: string;
  readonly source: string;
  readonly msg: string;
  readonly event: string | undefined;
  readonly run: string | undefined;
  /** The generation that the entry tells of, as run (or source) and span or lane; undefined for an entry of none. */
  readonly generation: string | undefined;
  /** The same, also of what is said about a generation beside it: that it waits, and a run's lines for debugging. */
  readonly belongsTo: string | undefined;
  /** Tokens of a delta; 0 on every other entry. */
  readonly tokens: number;
  /** Whether the message is printable ASCII on one line, so that its width is its length. */
  readonly plain: boolean;
  readonly raw: string;

  constructor(raw: string, parsed: Record<string, unknown>) {
    this.raw = raw;
    const { id, log, time, level, channel, source, msg, event, run } = parsed;
    this.id = typeof id === 'string' ? id : undefined;
    this.n = this.id === undefined ? 0 : (parsePosition(this.id) ?? 0);
    this.log = typeof log === 'string' ? intern(log) : undefined;
    this.time = typeof time === 'number' && Math.abs(time) <= 8.64e15 ? time : Date.now();
    const index = LEVELS.indexOf(level as Level);
    this.level = index < 0 ? DEFAULT_LEVEL : index;
    this.channel = intern(typeof channel === 'string' ? channel : '?');
    this.source = intern(typeof source === 'string' ? source : '?');
    this.msg = typeof msg === 'string' ? msg : '';
    this.event = typeof event === 'string' ? intern(event) : undefined;
    this.run = typeof run === 'string' ? intern(run) : undefined;
    this.plain = isPlain(this.msg);
    const tells = this.event?.startsWith('generation.');
    const isBeside =
      this.event === undefined
        ? this.run !== undefined && this.level < DEFAULT_LEVEL
        : this.event === EVENTS.requestQueued;
    const attrs = tells || isBeside ? (asAttrs(parsed.attrs) ?? {}) : undefined;
    this.belongsTo = attrs && `${this.run ?? this.source} ${nameOf(attrs.span_id ?? attrs.lane)}`;
    this.generation = tells ? this.belongsTo : undefined;
    const tokens = amountOf(attrs?.tokens) ?? 1;
    this.tokens = this.event === EVENTS.generationDelta ? Math.max(1, tokens) : 0;
  }

  get bytes(): number {
    return 160 + this.raw.length + this.msg.length;
  }

  /**
   * The attributes as JSON, for searches. The gateway writes them last, and in a string the key's quotes are escaped.
   */
  get attrsText(): string {
    const start = this.raw.indexOf(',"attrs":');
    return start < 0 ? '' : this.raw.slice(start + 9, -1);
  }

  /** The attributes. All that count entries ask for those of the same one in turn, so the latest that were parsed are kept. */
  attrs(): Readonly<Record<string, unknown>> {
    if (latestRow !== this) {
      latestAttrs = asAttrs(this.json().attrs) ?? {};
      latestRow = this;
    }
    return latestAttrs;
  }

  json(): Record<string, unknown> {
    return asAttrs(JSON.parse(this.raw)) ?? {};
  }
}

/** Entries that the page cannot show, as one row in their place. */
export class GapRow {
  readonly kind = 'gap';
  at = 0;
  readonly bytes = 200;
  /** Epoch ms of the gap's end; NaN where neither end is known. */
  readonly time: number;
  /** `reconnect`, `transit`, `evicted`, `earlier`, or a reason that the gateway gave. */
  readonly reason: string;
  readonly channel: string | null;
  /** Ids of the entries around the gap, both exclusive; undefined where not known. */
  after: string | undefined;
  before: string | undefined;
  /** null: not known. */
  missed: number | null;
  /** How the last attempt to load the gap ended, for the reader. */
  note = '';
  loading = false;

  constructor(fields: Pick<GapRow, 'reason' | 'channel' | 'after' | 'before' | 'missed'>) {
    this.reason = fields.reason;
    this.channel = fields.channel;
    this.after = fields.after;
    this.before = fields.before;
    this.missed = fields.missed;
    const isBounded = fields.after !== undefined || fields.before !== undefined;
    this.time = Number(fields.before?.split('-')[0]) || (isBounded ? Date.now() : Number.NaN);
  }
}

/** A gap as the gateway reported it. */
export function gapRow({ reason, channel, after, before, missed }: Partial<GapData>): GapRow {
  return new GapRow({
    reason: String(reason ?? 'unknown'),
    channel: typeof channel === 'string' ? channel : null,
    after,
    before,
    missed: typeof missed === 'number' ? missed : null,
  });
}

/** A line between entries: a mark that the reader drew, or a message of the page, as after a reconnect. */
export class MarkRow {
  readonly kind = 'mark';
  at = 0;
  readonly bytes = 100;
  readonly time = Date.now();
  readonly text: string;
  readonly message: string;
  /** How often in a row the message came; `time` is that of the last. */
  readonly times: number;

  constructor(message: string, times = 1) {
    this.message = message;
    this.times = times;
    this.text = times > 1 ? `${message} · ${times} times` : message;
  }
}

export type Row = EntryRow | GapRow | MarkRow;

/** Parses one entry; undefined if the text is not a JSON object. */
export function parseEntry(raw: string): EntryRow | undefined {
  try {
    const value = asAttrs(JSON.parse(raw));
    return value && new EntryRow(raw, value);
  } catch {
    return undefined;
  }
}

/** Whether a text is printable ASCII on one line. */
export function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

/** A name of a generation's lane or span. An object is none: it may have a `toString` that is no function. */
export function nameOf(value: unknown): string {
  return typeof value === 'object' ? '' : String(value ?? '');
}

function asAttrs(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

// Sources, channels, events and runs repeat: each distinct text is kept once. A hostile number of them empties the
// table.
let names = new Map<string, string>();

function intern(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size > 20_000) names = new Map();
  names.set(name, name);
  return name;
}

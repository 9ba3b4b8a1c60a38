// The publisher, in a process of its own: it writes a given number of entries at a steady rate, or as many as viewers keep up
// with.

import { formatPosition } from '@llm-streamer/shared/broker/position.ts';
import { EntryText, type Lane } from '../entry-text.ts';
import { serve } from '../worker.ts';
import { LogSink } from './log-sink.ts';
import type { Item, Sink } from './sink.ts';
import { WIRE_FORMS, WireSink } from './wire-sink.ts';

export interface OpenPublisher {
  /** `log` writes through the product's broker and append.lua; `log-unechoed` without PLAIN_CHANNELS; the others by bare commands. */
  form: 'log' | 'log-unechoed' | keyof typeof WIRE_FORMS;
  redisUrl: string;
  /** The port of the server that takes bare commands: Redis, or Nchan. */
  port: number;
  connections: number;
  maxUnderWay: number;
  lanes: readonly Lane[];
  /** In how many sequences entries are numbered, one after another; a viewer wants one of them. */
  sequences: number;
  bytes: number;
  /** How many entries are written at a time if nothing else sets the pace. */
  batch?: number;
}

export interface Sent {
  entries: number;
  ms: number;
  /** How late the publisher was at worst, by its schedule. */
  lateMs: number;
}

/** A timer cannot fire more often. */
const STEP_MS = 1;
const MAX_PER_STEP = 2_000;

let sink: Sink | undefined;
let texts: EntryText[] = [];
let sequenceCount = 1;
/** How many entries were written since `open`; they are numbered by it. */
let written = 0;
/** How many entries may be written since `window` began, if viewers hold the publisher back. */
let credit = 0;
let stopped = false;
/** The fewest and the most entries per write. */
let least = 1;
let most = MAX_PER_STEP;

const methods = {
  async open({
    form,
    redisUrl,
    port,
    connections,
    maxUnderWay,
    lanes,
    sequences,
    bytes,
    batch = 1,
  }: OpenPublisher) {
    least = batch;
    most = batch > 1 ? batch : MAX_PER_STEP;
    texts = lanes.map((lane) => new EntryText(lane, bytes));
    sequenceCount = sequences;
    written = 0;
    if (form === 'log' || form === 'log-unechoed') sink = await LogSink.open(redisUrl, form === 'log');
    else sink = new WireSink(WIRE_FORMS[form], Array(connections).fill(port), maxUnderWay);
  },

  /** Open loop: writes `count` entries evenly, even if viewers do not keep up. `rate` 0: as fast as the server takes them. */
  async send({ count, rate }: { count: number; rate: number }): Promise<Sent> {
    const began = performance.now();
    let lateMs = 0;
    for (let sent = 0; sent < count; ) {
      const elapsed = performance.now() - began;
      const due = rate === 0 ? count : Math.min(count, Math.floor((elapsed * rate) / 1_000) + 1);
      const now = batchSize(due - sent, count - sent);
      if (now > 0) {
        write(now);
        sent += now;
      }
      if (rate > 0 && sent < due) lateMs = Math.max(lateMs, elapsed - (sent * 1_000) / rate);
      await (rate > 0 ? pause() : breath());
    }
    await sink?.flushed();
    return { entries: count, ms: performance.now() - began, lateMs };
  },

  /** Closed loop: writes until `stop`, and no more than `credit` has allowed. */
  async follow(): Promise<Sent> {
    const began = performance.now();
    const first = written;
    stopped = false;
    credit = 0;
    while (!stopped) {
      const now = batchSize(first + credit - written, 1);
      if (now > 0) write(now);
      await (now > 0 ? breath() : pause());
    }
    await sink?.flushed();
    return { entries: written - first, ms: performance.now() - began, lateMs: 0 };
  },

  credit({ entries }: { entries: number }) {
    credit = entries;
  },

  stop() {
    stopped = true;
  },

  /** The id of the newest entry that the log has acknowledged. */
  lastId(): string {
    if (!(sink instanceof LogSink)) throw new Error('only the log gives ids');
    return formatPosition(sink.last);
  },

  async close() {
    await sink?.close();
    sink = undefined;
  },
};

export type PublishMethods = typeof methods;
serve(methods);

/** How many of the `due` entries to write now: a batch at least, as long as `left` is enough for one. */
function batchSize(due: number, left: number): number {
  const now = Math.min(due, sink?.room() ?? 0, most);
  return now < Math.min(least, left) ? 0 : now;
}

/** Goes through the lanes one after another; each sequence is numbered from 1. */
function write(count: number): void {
  const items: Item[] = [];
  for (let i = 0; i < count; i++, written++) {
    const text = texts[written % texts.length] as EntryText;
    items.push({ text, number: Math.floor(written / sequenceCount) + 1 });
  }
  sink?.send(items);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, STEP_MS));
}

function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

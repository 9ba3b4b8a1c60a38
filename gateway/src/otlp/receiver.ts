// Takes one request of an exporter: bytes in, entries in the log, and what could not be taken out. Loaded when the first one comes.

import type { Broker } from '@llm-streamer/shared/broker/broker.ts';
import { type Draft, draft, type EntryFields } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import type { Access } from '../auth/access.ts';
import { mayPublish } from '../auth/rights/grants.ts';
import { MAX_STORED_BYTES } from '../shippers/limits.ts';
import { type Packing, unpack } from '../shippers/unpack.ts';
import type { Encoding } from './answers.ts';
import { parse } from './body.ts';
import { batches, Deliveries, type Group } from './deliveries.ts';
import { mapLogRecord } from './log-records.ts';
import { levelsOf, type Signal } from './messages.ts';
import { pointsOf, Series } from './metrics.ts';
import type { MapOptions, Mapped } from './record.ts';
import { digestOf, type Origin, originOf, resourceOf, withScope } from './resource.ts';
import { Seen } from './seen.ts';
import { isGenAi, mapSpan, readSpan, traceStarted } from './spans.ts';
import { asList, asRecord, asText, wrongIdOf } from './values.ts';

const MAX_RECORDS = 20_000;
/** Each costs work, also where no record is in it: an empty scope has two bytes. */
const MAX_GROUPS = 20_000;
/** About 1.5 MB. A trace that was forgotten is announced once more if a child of it comes. */
const MAX_TRACES = 10_000;
/** Resources that were told once: those that were told longest ago are told again. */
const MAX_RESOURCES = 1_000;
const METRICS_HINT =
  'only metrics of models and agents are shown; set OTEL_METRICS_EXPORTER=none to stop sending the others';

export interface Post {
  signal: Signal;
  body: Buffer;
  encoding: Encoding;
  packing: Packing;
  access: Access;
  /** Where everything goes, whatever the service is called. */
  channel: string | undefined;
}

export interface Outcome {
  accepted: number;
  /** Records, or points of metrics, that could not be taken. */
  rejected: number;
  /** How many the client is told were rejected: once, those that nobody wanted are among them. */
  told: number;
  /** Why; undefined where nothing is to be said. */
  message?: string;
  /** Points of metrics that nobody wanted: no fault of the client. */
  ignored: number;
}

export interface ReceiverOptions {
  broker: Broker;
  entryBytes: number;
  bodyBytes: number;
  content: boolean;
}

/** What is collected of one request. */
interface Take {
  groups: Group[];
  /** What its entries take: a small request can make many bytes, since each entry carries a part of the resource. */
  bytes: number;
  accepted: number;
  rejected: number;
  reasons: Set<string>;
  ignored: number;
  hint: boolean;
  /** Entries that are no record of the request: that a trace is running, or who sends. */
  notices: EntryFields[];
  traces: string[];
  resources: string[];
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #deliveries: Deliveries;
  readonly #slicer = new TimeSlicer();
  /**
   * Traces with model calls, tools or agents in them. A span comes when it ends, so the first child of a trace is what says that the trace
   * is running; its root says that it has ended.
   */
  readonly #traces = new Seen(MAX_TRACES);
  readonly #resources = new Seen(MAX_RESOURCES);
  readonly #hinted = new Seen(MAX_RESOURCES);

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#deliveries = new Deliveries(options.broker);
  }

  /** @throws CodedError: what the client did wrong, or that it may send the same again */
  async receive(post: Post): Promise<Outcome> {
    const { signal, encoding, packing, access } = post;
    const body = await unpack(post.body, packing, this.#options.bodyBytes, {
      code: 'invalid_otlp',
      variable: 'OTLP_BODY_BYTES',
    });
    const request = await parse(body, encoding, signal, this.#slicer);
    const take: Take = {
      groups: [],
      bytes: 0,
      accepted: 0,
      rejected: 0,
      reasons: new Set(),
      ignored: 0,
      hint: false,
      notices: [],
      traces: [],
      resources: [],
    };
    await this.#map(request, post, take);
    try {
      await this.#notify(take, access);
      for (const batch of batches(take.groups)) {
        for (const { records, reason } of await this.#deliveries.deliver(batch, access.principal.id)) {
          take.accepted -= records;
          reject(take, records, reason);
        }
      }
    } catch (error) {
      this.#traces.forget(take.traces);
      this.#resources.forget(take.resources);
      throw error;
    }
    return outcomeOf(take);
  }

  async #map(request: Record<string, unknown>, post: Post, take: Take): Promise<void> {
    const { signal, access, channel } = post;
    const names = levelsOf(signal);
    const options: MapOptions = { now: Date.now(), content: this.#options.content };
    const source = access.ownSource;
    const groups = counter(MAX_GROUPS, 'resources and scopes');
    const records = counter(MAX_RECORDS, 'records');
    for (const group of asList(request[names.resources])) {
      groups.count();
      await this.#slicer.pauseIfDue();
      const fields = asRecord(group);
      const origin = originOf(resourceOf(fields.resource), { channel, source });
      let series: Series | undefined;
      let isKnown = false;
      for (const inner of asList(fields[names.scopes])) {
        groups.count();
        await this.#slicer.pauseIfDue();
        const ofScope = withScope(origin, asText(asRecord(asRecord(inner).scope).name));
        if (signal === 'metrics') series ??= new Series(ofScope);
        for (const record of asList(asRecord(inner)[names.records])) {
          records.count();
          await this.#slicer.pauseIfDue();
          if (series) await this.#addPoints(series, record);
          else {
            if (!isKnown) this.#introduce(ofScope, options.now, take);
            isKnown = true;
            this.#add(signal, record, ofScope, options, access, take);
          }
        }
      }
      if (series) this.#addMetrics(series, origin, options.now, access, take);
    }
  }

  /** A metric may have as many points as a request has values. */
  async #addPoints(series: Series, metric: unknown): Promise<void> {
    for (const point of pointsOf(metric)) {
      await this.#slicer.pauseIfDue();
      series.add(point);
    }
  }

  #add(
    signal: Signal,
    record: unknown,
    origin: Origin,
    options: MapOptions,
    access: Access,
    take: Take,
  ): void {
    if (origin.refusal !== undefined) {
      reject(take, 1, origin.refusal);
      return;
    }
    const wrong = wrongIdOf(record);
    // A span needs its ids. A log record is one without a trace, too, but its sender should know that it is alone.
    if (wrong !== undefined) {
      reject(take, signal === 'traces' ? 1 : 0, wrong);
      if (signal === 'traces') return;
    }
    const mapped =
      signal === 'logs' ? mapLogRecord(record, origin, options) : this.#span(record, origin, options, take);
    this.#keep(mapped, 1, access, take);
  }

  #span(record: unknown, origin: Origin, options: MapOptions, take: Take): Mapped {
    const span = readSpan(record);
    const { trace, parent, pending } = span;
    if (
      trace !== undefined &&
      isGenAi(span) &&
      (parent !== undefined || pending) &&
      this.#traces.add(trace)
    ) {
      take.traces.push(trace);
      take.notices.push(traceStarted(span, origin, options.now));
    }
    return mapSpan(span, origin, options, trace !== undefined && this.#traces.has(trace));
  }

  #addMetrics(series: Series, { service }: Origin, now: number, access: Access, take: Take): void {
    const mapped = series.mapped(now);
    if (mapped) this.#keep(mapped, series.shown, access, take);
    take.ignored += series.hidden;
    if (series.hidden === 0) return;
    // Every minute would be a flood in the client's log.
    if (this.#hinted.add(service)) take.hint = true;
  }

  #keep({ entries, timed }: Mapped, records: number, access: Access, take: Take): void {
    const drafts = entries.map((one) => this.#draft(one, take));
    try {
      for (const one of drafts) access.checkPublish(one);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      reject(take, records, error.message);
      return;
    }
    take.groups.push({ drafts, records, timed });
    take.accepted += records;
  }

  /** @throws CodedError `batch_too_large` if the entries of the request take too much */
  #draft(entry: EntryFields, take: Take): Draft {
    const made = draft(entry, this.#options.entryBytes);
    take.bytes += made.body.length;
    if (take.bytes <= MAX_STORED_BYTES) return made;
    throw new CodedError(
      'batch_too_large',
      `the entries of the request have over ${MAX_STORED_BYTES} bytes; send smaller batches`,
    );
  }

  /** Tells once who sends, with everything that the resource says of itself. */
  #introduce(origin: Origin, now: number, take: Take): void {
    const { service, source, logs, whole, refusal } = origin;
    if (refusal !== undefined || whole.size === 0) return;
    const attrs = Object.fromEntries(whole);
    const key = digestOf(logs, attrs);
    if (!this.#resources.add(key)) return;
    take.resources.push(key);
    take.notices.push({
      time: now,
      channel: logs,
      source,
      level: 'debug',
      msg: `${service} sends OpenTelemetry`,
      event: EVENTS.resourceSeen,
      attrs,
    });
  }

  /** Those that the one who writes may not write are left out without a word: nobody has sent them. */
  async #notify(take: Take, access: Access): Promise<void> {
    const groups: Group[] = [];
    for (const one of take.notices) {
      await this.#slicer.pauseIfDue();
      if (!mayPublish(access.principal.grants, one.channel)) continue;
      const made = this.#draft(one, take);
      try {
        access.checkPublish(made);
      } catch {
        continue;
      }
      groups.push({ drafts: [made], records: 0, timed: false });
    }
    for (const batch of batches(groups)) await this.#deliveries.deliver(batch, access.principal.id);
  }
}

function counter(most: number, what: string): { count(): void } {
  let found = 0;
  return {
    count() {
      if (++found > most) throw new CodedError('batch_too_large', `at most ${most} ${what} in one request`);
    },
  };
}

function reject(take: Take, records: number, reason: string): void {
  take.rejected += records;
  if (take.reasons.size < 3) take.reasons.add(reason);
}

function outcomeOf({ accepted, rejected, reasons, ignored, hint }: Take): Outcome {
  const said = [...reasons, ...(hint ? [METRICS_HINT] : [])].join('; ');
  const told = hint ? rejected + ignored : rejected;
  return { accepted, rejected, told, ignored, ...(said !== '' && { message: said }) };
}

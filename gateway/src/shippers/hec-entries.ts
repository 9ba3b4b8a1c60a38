// An event of Splunk's HTTP Event Collector → an entry. Docker's driver wraps each line of a container in such an event.

import { isChannel } from '@llm-streamer/shared/channels.ts';
import { decodeObject } from '@llm-streamer/shared/decode/decode.ts';
import { parseLevel } from '@llm-streamer/shared/decode/level.ts';
import { parseTime } from '@llm-streamer/shared/decode/time.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { channelOfName, refusalOf } from '../otlp/resource.ts';
import { asRecord, asText } from '../otlp/values.ts';
import type { Attempt } from './attempts.ts';
import type { HecEvent } from './hec-events.ts';
import { entryOfLine, type LineOrigin, withOrigin } from './line.ts';
import type { Shipped } from './store.ts';

const UNNAMED = 'logs:splunk';
const CHANNEL_LABEL = 'llm-streamer.channel';
const SERVICE_LABELS = [
  'com.docker.compose.service',
  'com.docker.swarm.service.name',
  'service.name',
  'service',
];
/** By default Docker's tag is the container's id; a channel for each would soon be too many. */
const CONTAINER_ID = /^[0-9a-f]{12,64}$/;

export interface HecOptions {
  attempt: Attempt;
  /** The header X-Channel. */
  channel: string | undefined;
  /** The only source that the one who writes may claim. */
  source: string | undefined;
}

/** What is known of an event besides what happened. */
interface Envelope {
  index: string | undefined;
  host: string | undefined;
  attrs: Record<string, unknown>;
  time: number | undefined;
}

export function* hecEntries(events: Iterable<HecEvent>, options: HecOptions): Generator<Shipped> {
  for (const { event, text, envelope } of events) {
    const known = envelopeOf(envelope);
    const exact = known.time === undefined ? options.attempt.nonce : String(envelope.time);
    if (event === undefined) yield shippedLine(text, known, known.attrs, {}, options, exact);
    else {
      const { line, attrs, labels } = dockerLine(event) ?? {
        line: event,
        attrs: {},
        labels: asRecord(envelope.fields),
      };
      yield shippedLine(line, known, { ...known.attrs, ...attrs }, labels, options, exact);
    }
  }
}

/** Lines of a raw body, to which the query says what an envelope would. */
export function* rawEntries(
  lines: Iterable<string>,
  query: Readonly<Record<string, unknown>>,
  options: HecOptions,
): Generator<Shipped> {
  const known = envelopeOf(query);
  for (const line of lines)
    if (line.trim() !== '') yield shippedLine(line, known, known.attrs, {}, options, options.attempt.nonce);
}

function envelopeOf(envelope: Readonly<Record<string, unknown>>): Envelope {
  const { fields, index, host, source, sourcetype, time } = envelope;
  return {
    index: asText(index),
    host: asText(host),
    time: parseTime(time),
    attrs: {
      ...(asText(host) !== undefined && { 'host.name': host }),
      ...(asText(source) !== undefined && { 'splunk.source': source }),
      ...(asText(sourcetype) !== undefined && { 'splunk.sourcetype': sourcetype }),
      ...asRecord(fields),
    },
  };
}

/** What Docker's driver sends in its formats `inline` and `json`. */
function dockerLine(
  event: unknown,
): { line: unknown; attrs: Record<string, unknown>; labels: Record<string, unknown> } | undefined {
  const { line, source, tag, attrs } = asRecord(event);
  if (line === undefined || (source !== 'stdout' && source !== 'stderr')) return undefined;
  const labels = asRecord(attrs);
  const name = asText(tag);
  const { [CHANNEL_LABEL]: _channel, ...shown } = labels;
  return {
    line,
    labels: { ...labels, ...(name !== undefined && { tag: name }) },
    attrs: {
      ...shown,
      stream: source,
      ...(name !== undefined && { [CONTAINER_ID.test(name) ? 'container.id' : 'container.name']: name }),
    },
  };
}

function shippedLine(
  line: unknown,
  { index, host, time }: Envelope,
  attrs: Record<string, unknown>,
  labels: Record<string, unknown>,
  options: HecOptions,
  exact: string,
): Shipped {
  const tag = asText(labels.tag);
  const service = SERVICE_LABELS.map((name) => asText(labels[name])).find((name) => name !== undefined);
  const name = service ?? (tag !== undefined && !CONTAINER_ID.test(tag) ? tag : undefined);
  const channel =
    asText(labels[CHANNEL_LABEL]) ??
    channelOfIndex(index) ??
    options.channel ??
    (name && channelOfName(name)) ??
    UNNAMED;
  const refusal = refusalOf(channel);
  if (refusal !== undefined) return { refusal: new CodedError('invalid_entry', refusal) };
  const origin: LineOrigin = {
    channel,
    source: (options.source ?? tag ?? host ?? service ?? 'splunk').slice(0, 200),
    level: parseLevel(labels.severity ?? labels.level),
    time: time ?? options.attempt.now,
    attrs,
  };
  return { entry: entryOf(line, origin), exact };
}

function entryOf(line: unknown, origin: LineOrigin): ReturnType<typeof entryOfLine> {
  if (typeof line !== 'object' || line === null) return entryOfLine(String(line), origin);
  const { channel, source, level = 'info', time } = origin;
  const object = Array.isArray(line) ? { value: line } : (line as Record<string, unknown>);
  return withOrigin(decodeObject(object, { channel, source, level, now: time }, 'lenient'), origin);
}

/** `logs:shop` is a channel as it stands, and `shop` means the same; Splunk's own default index is no name of anything. */
function channelOfIndex(index: string | undefined): string | undefined {
  if (index === undefined || index === 'main') return undefined;
  return index.includes(':') && isChannel(index) ? index : channelOfName(index);
}

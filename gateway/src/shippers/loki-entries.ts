// A line of Loki's protocol → an entry. Labels say where it belongs, and are its attributes.

import { parseLevel } from '@llm-streamer/shared/decode/level.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { channelOfName, refusalOf } from '../otlp/resource.ts';
import { entryOfLine, type LineOrigin } from './line.ts';
import type { LokiLine, LokiStream } from './loki-push.ts';
import type { Shipped } from './store.ts';

/** The first label that is there names the channel: `logs:<value>`. */
const SERVICES = [
  'service_name',
  'service',
  'compose_service',
  'swarm_service',
  'container_name',
  'container',
  'app',
  'job',
  'unit',
];
/** The first one that is there is the source. */
const SOURCES = [
  'container_name',
  'pod',
  'container',
  'instance',
  'host',
  'hostname',
  'node_name',
  'nodename',
];
const LEVELS = ['level', 'detected_level', 'severity'];
const TRACES = ['trace_id', 'traceID', 'traceid'];
/** Names the channel itself. */
const CHANNEL = 'channel';
const UNNAMED = 'logs:loki';

export interface LokiOptions {
  now: number;
  /** The header X-Channel. */
  channel: string | undefined;
  /** The only source that the one who writes may claim. */
  source: string | undefined;
}

export function* lokiEntries(streams: readonly LokiStream[], options: LokiOptions): Generator<Shipped> {
  for (const { labels, lines } of streams) {
    const origin = labels && originOf(labels, options);
    const refusal =
      origin === undefined ? 'the labels of a stream must look like {job="api"}' : refusalOf(origin.channel);
    for (const line of lines)
      yield origin === undefined || refusal !== undefined
        ? { refusal: new CodedError('invalid_entry', refusal ?? '') }
        : shipped(line, origin);
  }
}

function originOf(labels: ReadonlyMap<string, string>, { now, channel, source }: LokiOptions): LineOrigin {
  const service = firstOf(labels, SERVICES);
  const attrs = Object.fromEntries(
    [...labels].filter(([name]) => name !== CHANNEL && !LEVELS.includes(name)),
  );
  return {
    channel: labels.get(CHANNEL) ?? channel ?? (service && channelOfName(service)) ?? UNNAMED,
    source: (source ?? firstOf(labels, SOURCES) ?? service ?? 'loki').slice(0, 200),
    level: levelIn(labels),
    time: now,
    attrs,
  };
}

function shipped({ nanos, line, metadata }: LokiLine, origin: LineOrigin): Shipped {
  const own = Object.fromEntries([...metadata].filter(([name]) => !LEVELS.includes(name)));
  const entry = entryOfLine(line, {
    ...origin,
    level: levelIn(metadata) ?? origin.level,
    time: msOf(nanos) ?? origin.time,
    attrs: { ...origin.attrs, ...own },
  });
  const trace = firstOf(metadata, TRACES);
  return {
    entry: trace === undefined || entry.run !== undefined ? entry : { ...entry, run: trace.slice(0, 200) },
    exact: nanos,
  };
}

function levelIn(labels: ReadonlyMap<string, string>): LineOrigin['level'] {
  return LEVELS.map((name) => parseLevel(labels.get(name))).find((level) => level !== undefined);
}

function msOf(nanos: string): number | undefined {
  const ms = Number(nanos.slice(0, -6));
  return ms > 0 && ms <= 8.64e15 ? ms : undefined;
}

function firstOf(labels: ReadonlyMap<string, string>, names: readonly string[]): string | undefined {
  return names.map((name) => labels.get(name)).find((value) => value !== undefined && value.trim() !== '');
}

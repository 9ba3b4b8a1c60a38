// Who has sent records: the name of the service gives the channels, the instance or the host the source, and a few attributes stand on
// every entry. The rest of a resource, up to kilobytes of it, is told once.

import { createHash } from 'node:crypto';
import { CHANNEL_RULE, isChannel, isReserved, TRACE_PREFIX } from '@llm-streamer/shared/channels.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { type Attributes, asRecord, asText, attributes, bounded } from './values.ts';

/** Attributes of a resource that every entry carries. */
const CARRIED = [
  'service.version',
  'deployment.environment.name',
  'deployment.environment',
  'k8s.namespace.name',
  'k8s.pod.name',
  'container.name',
  'host.name',
];
/** UTF-16 units of one of them. */
const MAX_CARRIED = 1_000;
/** UTF-16 units of all names and texts of a resource. */
const MAX_RESOURCE = 262_144;
/** Command lines hold passwords, and the owner of a process is a person. */
const NEVER = /^process\.(?:command|owner|environment)/;
const OWN: ReadonlySet<string> = new Set(Object.values(CHANNELS));
const MAX_SERVICE = 150;
const MAX_SOURCE = 200;
const LOG_PREFIX = 'logs:';
const UNNAMED = 'otlp';

export interface Origin {
  service: string;
  source: string;
  /** Whether `source` is that of the resource or of the key, and not one of the names that stand in for it. */
  isNamed: boolean;
  logs: string;
  traces: string;
  /** Why nothing can be written for this resource; undefined if it can. */
  refusal?: string;
  attrs: Attributes;
  /** The whole resource, without what is never shown. */
  whole: Attributes;
}

export interface OriginOptions {
  /** The header X-Channel. */
  channel: string | undefined;
  /** The only source that the one who writes may claim. */
  source: string | undefined;
}

/** The attributes of a resource as a request has it. */
export function resourceOf(resource: unknown): Attributes {
  return attributes(asRecord(resource).attributes, MAX_RESOURCE);
}

export function originOf(resource: Attributes, options: OriginOptions): Origin {
  const name = asText(resource.get('service.name')) ?? '';
  const service = /^unknown_service\b/.test(name) ? UNNAMED : safe(name) || UNNAMED;
  const channel = asText(resource.get('llm_streamer.channel')) ?? options.channel;
  const whole: Attributes = new Map([...resource].filter(([key]) => !NEVER.test(key)));
  const attrs: Attributes = new Map(
    CARRIED.flatMap((key) => {
      const value = resource.get(key);
      if (value === undefined || typeof value === 'object') return [];
      return [[key, typeof value === 'string' ? bounded(value, MAX_CARRIED) : value] as const];
    }),
  );
  const named = options.source ?? instance(resource);
  const origin = {
    service,
    source: (named ?? service).slice(0, MAX_SOURCE),
    isNamed: named !== undefined,
    logs: channel ?? logsOf(service),
    traces: channel ?? `${TRACE_PREFIX}${service}`,
    attrs,
    whole,
  };
  const refusal = channel === undefined ? undefined : refusalOf(channel);
  return refusal === undefined ? origin : { ...origin, refusal };
}

/** The same for records of one scope: a program that says nothing of its instance is named by its libraries. */
export function withScope(origin: Origin, scope: string | undefined): Origin {
  if (origin.isNamed || scope === undefined) return origin;
  return { ...origin, source: scope.slice(0, MAX_SOURCE) };
}

/** Stands for a resource in memory: as a text it can have megabytes. */
export function digestOf(channel: string, attrs: Readonly<Record<string, unknown>>): string {
  return createHash('sha256')
    .update(JSON.stringify([channel, attrs]))
    .digest('base64');
}

/** Why a channel that a sender names cannot be written; undefined if it can. */
export function refusalOf(channel: string): string | undefined {
  if (!isChannel(channel)) return `the channel must be ${CHANNEL_RULE}`;
  return isReserved(channel)
    ? 'channels of runs, conversations and the audit are written by the gateway only'
    : undefined;
}

/** `logs:<name>`, in which other characters than those of a channel are `_`; undefined if nothing is left of the name. */
export function channelOfName(name: string): string | undefined {
  const plain = safe(name);
  return plain === '' ? undefined : logsOf(plain);
}

/** A service may be called `gateway`, but `logs:gateway` is what the product itself writes. */
function logsOf(service: string): string {
  const channel = `${LOG_PREFIX}${service}`;
  return OWN.has(channel) ? `${channel}-service` : channel;
}

function safe(name: string): string {
  const plain = name.slice(0, MAX_SERVICE).replace(/[^A-Za-z0-9_.-]/g, '_');
  return /[A-Za-z0-9]/.test(plain) ? plain : '';
}

function instance(resource: Attributes): string | undefined {
  const id = asText(resource.get('service.instance.id'));
  // SDKs make a random UUID for each process.
  if (id !== undefined) return /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(id) ? id.slice(0, 8) : id;
  return asText(resource.get('host.name'));
}

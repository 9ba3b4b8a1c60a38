// Who has sent records: the name of the service gives the channels, the instance or the host the source, and a few attributes stand on
// every entry. The rest of a resource, up to kilobytes of it, is told once.

import { CHANNEL_RULE, isChannel, isReserved, TRACE_PREFIX } from '@llm-streamer/shared/channels.ts';
import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { type Attributes, asText } from './values.ts';

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
/** Command lines hold passwords, and the owner of a process is a person. */
const NEVER = /^process\.(?:command|owner|environment)/;
const OWN: ReadonlySet<string> = new Set(Object.values(CHANNELS));
const MAX_SERVICE = 150;
const LOG_PREFIX = 'logs:';
const UNNAMED = 'otlp';

export interface Origin {
  service: string;
  source: string;
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

export function originOf(resource: Attributes, scope: string | undefined, options: OriginOptions): Origin {
  const name = asText(resource.get('service.name')) ?? '';
  const service = /^unknown_service\b/.test(name) ? UNNAMED : safe(name) || UNNAMED;
  const channel = asText(resource.get('llm_streamer.channel')) ?? options.channel;
  const whole: Attributes = new Map([...resource].filter(([key]) => !NEVER.test(key)));
  const attrs: Attributes = new Map(
    CARRIED.flatMap((key) => (resource.has(key) ? [[key, resource.get(key)] as const] : [])),
  );
  const origin = {
    service,
    source: (options.source ?? instance(resource) ?? asText(scope) ?? service).slice(0, 200),
    logs: channel ?? logsOf(service),
    traces: channel ?? `${TRACE_PREFIX}${service}`,
    attrs,
    whole,
  };
  const refusal = channel === undefined ? undefined : refusalOf(channel);
  return refusal === undefined ? origin : { ...origin, refusal };
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
